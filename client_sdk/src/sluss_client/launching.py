"""The link that signs a browser in to the supervisors' overview.

The browser then sees, from the server, what this person may see of the counts; it gets no key and no sealed text.
Source: docs/contract.md, "The overview".

> INVARIANT: the link works once and within a minute, so whoever finds it later has found nothing.
"""

from __future__ import annotations

from sluss_client import casework
from sluss_client.local import Local
from sluss_client.transport import Transport
from sluss_schemas.launching import Launch, LaunchAsk


async def link(local: Local, transport: Transport) -> str:
    """Ask the server for a link.

    Raises:
        Refused: `supervisor_only`.
        Offline: no contact.

    """
    casework.own_supervisors(local)
    launch = await transport.post("/v1/launch", LaunchAsk(), Launch)
    return f"{transport.server}/overview/enter/{launch.token}"
