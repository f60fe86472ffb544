"""Epochs' wraps, held against the directory: with the entry that opens an epoch, for newcomers later, and in proposals.

Everything here is sealed to devices; the server sees for whom, and who offered it.
Refuses a wrap for a device that the directory does not entitle to the epoch.
Source: docs/protocol.md section 1.

> INVARIANT: a whole epoch is wrapped for members of its audience only, and its signing key alone for the own agency's
> supervisors, of the field audience only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.agency import Audience
from sluss_schemas.codec import encode
from sluss_schemas.ids import AudienceId, Kid
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory
from sluss_server.services.caller import Caller
from sluss_server.storage.keys import Holding, ProposalRow, WrapRow

MAKERS: Final = 3
"""How many makers' wraps of one epoch are kept for a device; the entry's own count as one maker's."""
WITH_ENTRY: Final = b""
"""The maker of wraps that came with the entry that opened their epoch."""


def wrap_rows(
    partnership: bytes,
    agency: bytes,
    after: Directory,
    bodies: Sequence[d.Body],
    sets: Sequence[membership.EpochSet],
) -> list[WrapRow]:
    """Return the wraps of epochs that these entries open; `after` is the directory with the entries in it.

    An epoch may come without: a device that gives a restored server its entries back has no wraps of others.

    Raises:
        Invalid: `directory_refused`, when a set is too much, or is not the one that its entry names.

    """
    given = {(one.audience, one.epoch): one.wraps for one in sets}
    opened = {(body.audience, body.epoch): body for body in bodies if isinstance(body, d.Epoch)}
    if not given.keys() <= opened.keys() or len(given) != len(sets):
        raise Invalid("directory_refused", "wraps", "Send only the wraps of the epochs that the entries open.")
    rows = list[WrapRow]()
    for (audience, epoch), wraps in given.items():
        body = opened[audience, epoch]
        if d.wraps_digest(wraps) != body.wraps or not _for_whom(after, after.audiences[AudienceId(audience)], wraps):
            raise Invalid("directory_refused", "wraps", "The wraps are not those that the entry was signed over.")
        if tuple(sorted(one.device for one in wraps if one.whole)) != body.devices:
            raise Invalid("directory_refused", "wraps", "Wrap the epoch for exactly the devices that the entry names.")
        rows += [
            WrapRow(partnership, agency, one.device, audience, epoch, one.whole, WITH_ENTRY, one.wrap) for one in wraps
        ]
    return rows


def _for_whom(directory: Directory, audience: Audience, wraps: Sequence[d.EpochWrap]) -> bool:
    """Tell whether every wrap is for a device that may have it, and for none twice."""
    supervisors = directory.audience_for("supervisors")
    alone = supervisors.members if supervisors is not None and audience.function == "field" else {}
    return len({(one.device, one.whole) for one in wraps}) == len(wraps) and all(
        Kid(one.device) in (audience.members if one.whole else alone) for one in wraps
    )


class Unopened:
    """The wraps that a device was sent and asks for again, as if none of them opened.

    Kept in memory only: after a restart it takes the device one more pull to be seen.
    """

    def __init__(self) -> None:
        """Know of nothing."""
        self._sent: Final[dict[bytes, frozenset[Holding]]] = {}
        self._again: Final[dict[bytes, frozenset[Holding]]] = {}

    def sent(self, device: bytes, wraps: frozenset[Holding]) -> None:
        """Note what a device is sent now, which is what it says it does not hold."""
        self._again[device] = wraps & self._sent.get(device, frozenset())
        self._sent[device] = wraps
        for known in (self._sent, self._again):
            if not known[device]:
                del known[device]

    def __contains__(self, wrap: Holding) -> bool:
        """Tell whether a device asked again for this."""
        return wrap in self._again.get(wrap.device, ())


def lacking(
    directory: Directory,
    asker: Kid,
    makers: Mapping[Holding, set[bytes]],
    unopened: Unopened,
    recovered: set[tuple[bytes, int]],
) -> Iterator[membership.Lacking]:
    """Yield who is entitled to an epoch that a member holds and has no wrap of it, or none that opens.

    Of the second kind the asker is told only where its own wrap would be a new one. `recovered` is as for `holds`.
    """
    for audience in directory.audiences.values():
        if asker not in audience.members:
            continue
        for epoch in range(1, len(audience.epochs) + 1):
            if not holds(directory, asker, (audience.audience, epoch), makers, recovered):
                continue
            missing = [
                wrap
                for device, whole in directory.entitled(audience, epoch)
                if (wrap := Holding(audience.audience, epoch, device, whole)) not in makers
                or (wrap in unopened and takes(makers, wrap, asker))
            ]
            if missing:
                yield membership.Lacking(
                    audience.audience,
                    epoch,
                    tuple(one.device for one in missing if one.whole),
                    tuple(one.device for one in missing if not one.whole),
                )


def holds(
    directory: Directory,
    device: Kid,
    epoch: tuple[bytes, int],
    makers: Mapping[Holding, set[bytes]],
    recovered: set[tuple[bytes, int]],
) -> bool:
    """Tell whether a device can have an epoch whole, as far as the server knows.

    By a wrap that is here; or by the entry that opened it, because after a restore the wrap may be gone; or because
    two custodians gave it their shares: those epochs are `recovered`.
    """
    audience, number = epoch
    opened = directory.audiences[AudienceId(audience)].epochs[number - 1]
    return device in opened.devices or epoch in recovered or Holding(audience, number, device, whole=True) in makers


def takes(makers: Mapping[Holding, set[bytes]], wrap: Holding, maker: bytes) -> bool:
    """Tell whether one more wrap, of this maker, is kept for a device; another's wrap is never replaced."""
    known = makers.get(wrap, set())
    return maker not in known and len(known) < MAKERS


def offered(directory: Directory, caller: Caller, given: membership.EpochSet) -> list[WrapRow]:
    """Return the rows of wraps for newcomers, if this device may offer them; whether it holds the epoch is left open.

    Raises:
        Invalid: `not_allowed` for who is no member, `directory_conflict` where the directory, as it is here, does not
            have the epoch or does not entitle a device to it.

    """
    audience = directory.audiences.get(AudienceId(given.audience))
    if audience is None or Kid(caller.device) not in audience.members:
        raise Invalid("not_allowed", "wraps.audience")
    if not 1 <= given.epoch <= len(audience.epochs):
        raise Invalid("directory_conflict", "wraps.epoch")
    if not set(_places(given.wraps)) <= set(directory.entitled(audience, given.epoch)):
        raise Invalid("directory_conflict", "wraps.device")
    at = caller.partnership, caller.agency
    return [
        WrapRow(*at, one.device, given.audience, given.epoch, one.whole, caller.device, one.wrap) for one in given.wraps
    ]


def proposed(directory: Directory, caller: Caller, given: membership.EpochProposal) -> ProposalRow:
    """Return the row of a proposal, if this device may make it; the registrar's device verifies its signature.

    Raises:
        Invalid: `not_allowed` for who is no member, `directory_conflict` where it is not the next epoch or not for
            exactly the members of now.

    """
    audience = directory.audiences.get(AudienceId(given.audience))
    if audience is None or given.maker != caller.device or Kid(caller.device) not in audience.members:
        raise Invalid("not_allowed", "proposals.maker")
    if given.epoch != len(audience.epochs) + 1:
        raise Invalid("directory_conflict", "proposals.epoch")
    places = _places(given.wraps)
    whole = {kid for kid, whole in places if whole}
    if len(set(places)) != len(places) or whole != audience.members.keys():
        raise Invalid("directory_conflict", "proposals.wraps")
    if not set(places) <= set(directory.entitled(audience, given.epoch)):
        raise Invalid("directory_conflict", "proposals.wraps")
    return ProposalRow(caller.partnership, caller.agency, given.audience, given.epoch, encode(given))


def still_waits(directory: Directory, proposal: membership.EpochProposal, asker: Kid) -> bool:
    """Tell whether a proposal is of the next epoch and the asker's to see: a registrar's, or a member's."""
    audience = directory.audiences.get(AudienceId(proposal.audience))
    if audience is None or proposal.epoch != len(audience.epochs) + 1:
        return False
    return asker in directory.registrars or asker in audience.members


def _places(wraps: Sequence[d.EpochWrap]) -> list[tuple[Kid, bool]]:
    return [(Kid(one.device), one.whole) for one in wraps]
