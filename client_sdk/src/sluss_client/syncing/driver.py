"""The driver of a sync: directories, keys, push, pull, in this order.

Each step is durable before the next begins, so a device that is killed anywhere goes on where it was.
Source: docs/protocol.md section 6.

> INVARIANT: a report is sealed only after the directories of this very sync were pulled and verified.
> INVARIANT: a page and its cursor are one transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from sluss_client import clock, protecting
from sluss_client.cases import duties, sending, stuck
from sluss_client.disclosing import work
from sluss_client.errors import Offline, Refused, Untrusted
from sluss_client.keyring import keyshare
from sluss_client.local import Local
from sluss_client.syncing import again, culling, notes, noticing, pulling, pushing, reads, wiping, witnessing
from sluss_client.syncing.pushing import Progress
from sluss_client.syncing.sync_core import Tally
from sluss_client.transport import Transport
from sluss_schemas import membership

Register = Callable[[], Awaitable[bool]]
"""A registrar's work; tells whether anything changed."""

_ROUNDS: Final = 3
_WITHOUT_RIGHTS: Final = frozenset({"revoked_device", "not_allowed"})
_CLOCK: Final = b"clock"
"""What the alarm about a disputed clock is filed under; it ends with the next whole sync."""


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Report to nobody."""


async def run(
    local: Local, transport: Transport, progress: Progress | None = None, register: Register | None = None
) -> Tally:
    """Sync once; on a registrar's device `register` approves and signs between directories and keys.

    Raises:
        Offline: no contact; whatever was done before stays done.
        Untrusted: a directory does not hold together; nothing was sealed or taken in after that. `directory_fork` and
            `directory_withheld` where somebody sealed with other directories: nothing was sealed, the rest was done.
            `pack_missing` where this program lacks the pack in force: what was filed waits, and nothing was pulled.
        Refused: `waiting_for_approval`, `revoked_device`, `not_allowed`; `wiped` where the own directory says that this
            device was revoked, after what it still has was sent.

    """
    tell = progress or _silent
    tally = Tally()
    if local.wiped:
        await wiping.contact(local, transport, tally)
        raise Refused("device", code="wiped")
    try:
        await _identities(local, transport, register)
    except Refused as refusal:
        if refusal.code == "revoked_device" and await _is_revoked(local, transport):
            wiping.wipe(local, transport.now())
            await wiping.contact(local, transport, tally)
            raise Refused("device", code="wiped") from refusal
        if refusal.code in _WITHOUT_RIGHTS:
            # What a person without rights any more has written still goes to their agency, into quarantine.
            with suppress(Untrusted):
                await _push(local, transport, tally, tell)
            stuck.watch(local)
        raise
    except Untrusted as problem:
        if problem.code == "clock_disputed":
            local.alarm(problem.code, _CLOCK)
        raise
    if local.trust.pack(transport.now()).stands_in:
        # Nothing leaves and nothing is taken in by the law of before; it all waits for the program that has the pack.
        tally.alarms += duties.watch(local, transport.now()) + stuck.watch(local)
        local.trust.pack_to_seal(transport.now())
    # What others sealed with says whether the directories here are those that they see.
    await pulling.ask_again(local, transport, tally)
    if notes.contradiction(local) is None:
        # First what the server had before: what was filed since may follow from it.
        await again.push(local, transport)
        await _push(local, transport, tally, tell)
        protecting.recheck(local, transport.now())
        await work.push(local, transport)
    await reads.push(local, transport)
    # Before the pull: what is in it by then has to come.
    await witnessing.ask(local, transport, tally)
    await pulling.run(local, transport, tally, tell, lambda: directories(local, transport))
    tally.dropped += work.settle(local, transport.now())
    if protecting.recheck(local, transport.now()):
        # A list of protected places has come: what lies in one does not wait for the next sync.
        await sending.push(local, transport)
    tally.alarms += duties.watch(local, transport.now()) + stuck.watch(local)
    tally.alarms += await stuck.supervise(local, transport, local.trust.pack(transport.now()), transport.now())
    witnessing.compare(local, tally)
    again.sweep(local, transport.now())
    culling.sweep(local, transport.now())
    local.calm(_CLOCK)
    local.configure(offset=transport.offset, confirmed_at=transport.now(), confirmed_own=clock.now())
    if (contradiction := notes.contradiction(local)) is not None:
        raise Untrusted(contradiction, "directory")
    return tally


async def _is_revoked(local: Local, transport: Transport) -> bool:
    """Tell whether the own directory says that this device was revoked; the server's word alone is none."""
    if not local.revoked:
        with suppress(Refused):
            await directories(local, transport)
    return local.revoked


async def _push(local: Local, transport: Transport, tally: Tally, tell: Progress) -> None:
    """Seal what was filed and push it; what the server calls stale is sealed again with the directories of now."""
    for _ in range(_ROUNDS):
        pushing.seal_pending(local, transport.now(), tell)
        if not await pushing.push_sealed(local, transport, tally, tell):
            return
        await directories(local, transport)


async def _identities(local: Local, transport: Transport, register: Register | None) -> None:
    """Pull directories and keys; on a registrar's device approve and sign until nothing more follows."""
    await directories(local, transport)
    for _ in range(_ROUNDS):
        changed = await keyshare.exchange(local, transport)
        if register is not None and await register():
            await directories(local, transport)
            changed = True
        if not changed:
            return


async def directories(local: Local, transport: Transport) -> None:
    """Pull and verify every chain of the partnership, and give back what the server lacks of the own one.

    Raises:
        Refused: `waiting_for_approval`, or `revoked_device` where the own directory says so.
        Untrusted: a chain that does not hold together, and as `_compare`; `clock_disputed` where it shows that the time
            which the server taught is wrong.

    """
    while True:
        try:
            answer = await transport.post(
                "/v1/directory/pull", membership.DirectoryPull(local.known()), membership.DirectoryAnswer
            )
        except Untrusted as problem:
            if problem.code == "unknown_device" and not local.approved:
                raise Refused("device", code="waiting_for_approval") from problem
            raise
        # The own chain first: it says which others to believe.
        own = local.trust.own_id
        with local.store.transaction():
            for chain in sorted(answer.chains, key=lambda one: one.agency != own):
                local.extend(chain)
            local.told_instance(answer.instance)
        if not answer.more:
            break
        if not any(chain.entries for chain in answer.chains):
            raise Offline("server_error", "directory", "The server promised more of the directories and gave nothing.")
    if not local.approved:
        raise Refused("device", code="waiting_for_approval")
    transport.check_clock()
    if local.revoked:
        # It is shown its own chain up to here, and no other.
        raise Refused("device", code="revoked_device")
    _compare(local, answer, transport.now())
    await again.give_back(local, transport, answer.heads)


def _compare(local: Local, answer: membership.DirectoryAnswer, now: int) -> None:
    """Hold what the server says that it has against what is here now.

    Raises:
        Untrusted: `directory_fork`, or `directory_withheld` for entries that it has and did not give.

    """
    with local.store.transaction():
        notes.compare_instance(local, now)
        restored = notes.restored(local, now) or notes.says_restored(local)
        faults = list(noticing.head_faults(local.trust, answer.heads, restored=restored))
        for agency in local.trust.chains.keys() - {agency for _, agency in faults}:
            local.calm(agency)
        for code, agency in faults:
            local.alarm(code, agency)
    for code, agency in faults:
        if code in noticing.CONTRADICTIONS:
            raise Untrusted(code, local.trust.chains[agency].slug)
