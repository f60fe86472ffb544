"""The endpoints: what each takes and gives, how large it may be, and the one service that it calls.

For: one table from which the routes, the OpenAPI document and the documentation's table are made.
Refuses to decide: what a caller may do is said by the service.

> INVARIANT: what is not in `ENDPOINTS` is not answered, and only `signed=False` is answered without a signature.

Source: docs/protocol.md sections 5 and 6.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Literal

import msgspec

from sluss_schemas import counts, launching, ledger, membership, statements, sync
from sluss_server.http.shell import Shell
from sluss_server.services import Caller

KIB: Final = 1024
PUSH_LIMIT: Final = sync.MAX_PUSH_BYTES + 64 * KIB
"""The items' own limit, and room for the envelope around them."""
WRAPS_LIMIT: Final = 4 * KIB * KIB
"""An epoch's wraps for a few thousand devices."""

COMMON: Final = ("unsigned", "clock_off", "unknown_device", "bad_signature", "revoked_device", "not_allowed")
"""What every signed endpoint may refuse with."""
ALWAYS: Final = ("invalid_request", "internal", "overloaded")
"""What every endpoint may refuse with."""
INVITED: Final = ("unknown_invite", "invite_used", "invite_expired")
"""What an endpoint may refuse with to which an invitation's code is brought."""
APPENDED: Final = ("bad_signature", "not_canonical", "out_of_range", "directory_conflict", "directory_refused")
"""What an endpoint may refuse with that appends to a directory."""
BODY: Final = ("malformed", "body_too_large")
"""What every endpoint with a body may refuse with."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint.

    Attributes:
        method: GET or POST.
        path: its address, which has no parameters.
        summary: what it does, one sentence.
        takes: structure of the body; None where there is none.
        gives: structure of the answer; None for 204.
        call: takes the shell, the caller where the request is signed, and the body where there is one.
        signed: whether a device signs the request.
        limit: the largest body in bytes.
        problems: codes besides `ALWAYS`, `COMMON` and `BODY`.

    """

    method: Literal["GET", "POST"]
    path: str
    summary: str
    takes: type[msgspec.Struct] | None = None
    gives: type[msgspec.Struct] | None = None
    call: Callable[..., Awaitable[object]]
    signed: bool = True
    limit: int = 64 * KIB
    problems: tuple[str, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """Every problem code that this endpoint may answer."""
        signed = COMMON if self.signed else ()
        body = BODY if self.takes else ()
        return tuple(dict.fromkeys((*self.problems, *signed, *body, *ALWAYS)))


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered to anyone: the process's state, the document of this surface, and notes that were released.

    Attributes:
        path: its address; a parameter of it stands in braces.
        summary: what it shows, one sentence.
        media: the media type of the answer.
        call: takes the shell, and the parameter where there is one.
        gives: structure of the answer, where the document describes it.
        cache: how the answer may be kept, as `Cache-Control` says it; empty for not at all.
        problems: the codes that it may refuse with.

    """

    path: str
    summary: str
    media: str
    call: Callable[..., Awaitable[bytes]]
    gives: type[msgspec.Struct] | None = None
    cache: str = ""
    problems: tuple[str, ...] = ()


async def push(shell: Shell, caller: Caller, body: sync.Push) -> sync.PushAnswer:
    """Push report versions, grants and case records."""
    answer = await shell.services.push(caller, body)
    for one in (*answer.items, *answer.grants, *answer.records):
        shell.metrics.outcome(one.outcome)
    return answer


async def pull(shell: Shell, caller: Caller, body: sync.Pull) -> sync.PullAnswer:
    """Pull what is new; a process that is about to stop lets nobody wait."""
    if body.wait > 0:
        answer = await shell.unless_draining(shell.services.pull(caller, body))
        if answer is not None:
            return answer
        body = msgspec.structs.replace(body, wait=0)
    return await shell.services.pull(caller, body)


async def quarantine(shell: Shell, caller: Caller) -> sync.QuarantineAnswer:
    """List what waits in quarantine."""
    return await shell.services.quarantine(caller)


async def leaves(shell: Shell, caller: Caller, body: ledger.LeavesAsk) -> ledger.LeavesAnswer:
    """Show leaves of the own ledger."""
    return await shell.services.leaves(caller, body)


async def checkpoint(shell: Shell, caller: Caller, body: ledger.CheckpointAsk) -> ledger.CheckpointAnswer:
    """Show the newest checkpoint of the own ledger."""
    return await shell.services.checkpoint(caller, body)


async def reads(shell: Shell, caller: Caller, body: ledger.Reads) -> None:
    """Take read records."""
    await shell.services.read(caller, body)


async def cube(shell: Shell, caller: Caller, body: counts.CountsAsk) -> counts.CountsAnswer:
    """Show the counts."""
    return await shell.services.cube.show(caller, body)


async def registry(shell: Shell, caller: Caller, body: statements.RegistryAsk) -> statements.RegistryAnswer:
    """Show the statements that hold."""
    return await shell.services.registry.show(caller, body)


async def stock(shell: Shell, caller: Caller, body: statements.StockAsk) -> statements.StockAnswer:
    """Sum what the own agency used."""
    return await shell.services.stocks.used(caller, body)


async def launch(shell: Shell, caller: Caller, _body: launching.LaunchAsk) -> launching.Launch:
    """Give a link into the overview."""
    return await shell.services.sessions.launch(caller)


async def directory_pull(shell: Shell, caller: Caller, body: membership.DirectoryPull) -> membership.DirectoryAnswer:
    """Pull what follows in the directories."""
    return await shell.services.directory_pull(caller, body)


async def directory_append(shell: Shell, caller: Caller, body: membership.DirectoryAppend) -> membership.Appended:
    """Append to the own agency's directory."""
    return await shell.services.directory_append(caller, body)


async def pull_keys(shell: Shell, caller: Caller, body: membership.KeysPull) -> membership.KeysAnswer:
    """Pull what is sealed to the device."""
    return await shell.services.pull_keys(caller, body)


async def offer_keys(shell: Shell, caller: Caller, body: membership.KeysOffer) -> None:
    """Offer wraps, proposals and shares."""
    await shell.services.offer_keys(caller, body)


async def invite(shell: Shell, caller: Caller, body: membership.Invitation) -> None:
    """Announce an invitation."""
    await shell.services.invite(caller, body)


async def enrolments(shell: Shell, caller: Caller) -> membership.Enrolments:
    """List the enrolments that wait."""
    return await shell.services.enrolments(caller)


async def enrol(shell: Shell, body: membership.Enrolment) -> None:
    """Hand in a new device's keys."""
    await shell.services.enrol(body)


async def found(shell: Shell, body: membership.Founding) -> membership.Appended:
    """Found an agency."""
    return await shell.services.found(body)


ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="POST",
        path="/v1/found",
        summary="Found an agency with the code that the operator gave out.",
        takes=membership.Founding,
        gives=membership.Appended,
        call=found,
        signed=False,
        limit=512 * KIB,
        problems=(*INVITED, *APPENDED),
    ),
    Endpoint(
        method="POST",
        path="/v1/enrolments",
        summary="Hand in a new device's public keys; a registrar approves them.",
        takes=membership.Enrolment,
        call=enrol,
        signed=False,
        limit=8 * KIB,
        problems=(*INVITED, "bad_signature", "not_canonical"),
    ),
    Endpoint(
        method="GET",
        path="/v1/enrolments",
        summary="List the enrolments that wait for a registrar of the own agency.",
        gives=membership.Enrolments,
        call=enrolments,
    ),
    Endpoint(
        method="POST",
        path="/v1/invites",
        summary="Announce an invitation; its secret stays with the registrar's device and the code.",
        takes=membership.Invitation,
        call=invite,
        limit=KIB,
        problems=("invite_used", "out_of_range"),
    ),
    Endpoint(
        method="POST",
        path="/v1/directory/pull",
        summary="Pull what follows in every directory of the partnership.",
        takes=membership.DirectoryPull,
        gives=membership.DirectoryAnswer,
        call=directory_pull,
    ),
    Endpoint(
        method="POST",
        path="/v1/directory",
        summary="Append to the own agency's directory, with the wraps of any epoch opened in it.",
        takes=membership.DirectoryAppend,
        gives=membership.Appended,
        call=directory_append,
        limit=WRAPS_LIMIT,
        problems=("invite_used", "restoring", "unknown_pack", "pack_missing", *APPENDED),
    ),
    Endpoint(
        method="POST",
        path="/v1/keys/pull",
        summary="Pull the device's wrapped keys, who lacks an epoch of its audiences, and what waits for a registrar.",
        takes=membership.KeysPull,
        gives=membership.KeysAnswer,
        call=pull_keys,
        limit=KIB * KIB,
    ),
    Endpoint(
        method="POST",
        path="/v1/keys",
        summary="Offer wraps to newcomers, shares to who recovers, and propose new epochs and splits.",
        takes=membership.KeysOffer,
        call=offer_keys,
        limit=WRAPS_LIMIT,
        problems=("directory_conflict",),
    ),
    Endpoint(
        method="POST",
        path="/v1/push",
        summary="Push up to 50 report versions, grants and case records; one outcome comes back for each.",
        takes=sync.Push,
        gives=sync.PushAnswer,
        call=push,
        limit=PUSH_LIMIT,
        problems=("pack_missing",),
    ),
    Endpoint(
        method="POST",
        path="/v1/pull",
        summary="Pull what is new in the device's feeds, waiting up to 25 seconds for something.",
        takes=sync.Pull,
        gives=sync.PullAnswer,
        call=pull,
        problems=("out_of_range", "pack_missing"),
    ),
    Endpoint(
        method="GET",
        path="/v1/quarantine",
        summary="List what waits in quarantine for a supervisor of the own agency, oldest first.",
        gives=sync.QuarantineAnswer,
        call=quarantine,
    ),
    Endpoint(
        method="POST",
        path="/v1/ledger/checkpoint",
        summary="Get the newest signed checkpoint of the own agency's ledger, with the proof of what it grew out of.",
        takes=ledger.CheckpointAsk,
        gives=ledger.CheckpointAnswer,
        call=checkpoint,
        limit=KIB,
    ),
    Endpoint(
        method="POST",
        path="/v1/ledger/leaves",
        summary="Get the leaves of the own agency's ledger since a time, up to 1,000 at once; for supervisors.",
        takes=ledger.LeavesAsk,
        gives=ledger.LeavesAnswer,
        call=leaves,
        limit=KIB,
        problems=("out_of_range",),
    ),
    Endpoint(
        method="POST",
        path="/v1/reads",
        summary="Hand in up to 200 signed read records: which parts of which reports were opened.",
        takes=ledger.Reads,
        call=reads,
        limit=128 * KIB,
        problems=("not_canonical",),
    ),
    Endpoint(
        method="POST",
        path="/v1/cube",
        summary="Get the own agency's exact counts and the published ones of the others; for supervisors.",
        takes=counts.CountsAsk,
        gives=counts.CountsAnswer,
        call=cube,
        limit=KIB,
        problems=("out_of_range",),
    ),
    Endpoint(
        method="POST",
        path="/v1/registry",
        summary="Get the agencies' statements that hold, as they were signed; for supervisors of any agency.",
        takes=statements.RegistryAsk,
        gives=statements.RegistryAnswer,
        call=registry,
        limit=KIB,
        problems=("out_of_range",),
    ),
    Endpoint(
        method="POST",
        path="/v1/stock",
        summary="Get how many doses the own agency's reports say were used after a day; for supervisors.",
        takes=statements.StockAsk,
        gives=statements.StockAnswer,
        call=stock,
        limit=KIB,
    ),
    Endpoint(
        method="POST",
        path="/v1/launch",
        summary="Get what signs one browser in to the overview, once and within a minute; for supervisors.",
        takes=launching.LaunchAsk,
        gives=launching.Launch,
        call=launch,
        limit=KIB,
    ),
)
"""Every endpoint of the protocol; health, counters and the document itself are in `routes`."""
