"""The framework with nothing in it: a Litestar application that takes a body and answers without one.

Measures what an HTTP request costs here at the least: uvicorn with uvloop and httptools, one worker, no checks.
Does not measure signatures, decoding, a database, or anything else of Sluss.
"""

from __future__ import annotations

import socket
import sys

import uvicorn
from litestar import Litestar, Request, post
from litestar.datastructures import State


@post("/v1/push", status_code=204)
async def take(request: Request[None, None, State]) -> None:
    """Read the body and answer."""
    await request.body()


def main() -> None:
    """Serve on a free port of this machine until the process is told to end; the port goes to standard output."""
    bound = socket.create_server(("127.0.0.1", 0))
    app = Litestar([take], openapi_config=None, logging_config=None)
    loop = "asyncio" if sys.platform == "win32" else "uvloop"
    config = uvicorn.Config(app, http="httptools", loop=loop, ws="none", log_config=None, access_log=False)
    # The socket listens already, so whoever connects from now on waits for the first answer and is not refused.
    print(bound.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[bound])


if __name__ == "__main__":
    main()
