"""What custodians hold of the epochs' secrets, and the sealed rosters: each held against the directory.

The server sees for whom a share is and under which digest, and can tell neither what it is nor whether it is right.
Refuses shares of anybody but the custodians that an entry names, or in a split the custodians of now.
Source: docs/protocol.md section 1.

> INVARIANT: a share is kept only under the digest that the directory names for its custodian, or while its split waits.
"""

from __future__ import annotations

from collections.abc import Sequence

from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.codec import encode
from sluss_schemas.ids import AudienceId, Kid
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory
from sluss_server.services.caller import Caller
from sluss_server.storage.custody import RosterRow, ShareRow, SplitRow

# with entries


def split_in(bodies: Sequence[d.Body]) -> dict[tuple[bytes, int], d.Shares]:
    """Return the epochs that these entries split, by audience and number, each with its last entry."""
    return {(body.audience, body.epoch): body for body in bodies if isinstance(body, d.Shares)}


def share_rows(
    partnership: bytes, agency: bytes, bodies: Sequence[d.Body], given: Sequence[d.SealedShare]
) -> list[ShareRow]:
    """Return the shares that come with `Shares` entries: all that the entries name, or none.

    Raises:
        Invalid: `directory_refused`, when a share is missing, is too much, or is not the one that its entry names.

    """
    named = {
        (audience, epoch, kid, kid, digest)
        for (audience, epoch), body in split_in(bodies).items()
        for kid, digest in body.shares
    }
    sent = [(one.audience, one.epoch, one.custodian, one.device, one.share) for one in given]
    if sent and (set(sent) != named or len(sent) != len(named)):
        raise Invalid("directory_refused", "shares", "Send exactly the shares that the entries name, or none.")
    return [_row(partnership, agency, one) for one in given]


def roster_row(partnership: bytes, agency: bytes, bodies: Sequence[d.Body], given: bytes | None) -> RosterRow | None:
    """Return the roster that comes with the last `Roster` entry, if it is there.

    Raises:
        Invalid: `directory_refused`, when it is not the one that the entry names.

    """
    named = [body.digest for body in bodies if isinstance(body, d.Roster)]
    if given is None:
        return None
    if not named or d.roster_digest(given) != named[-1]:
        raise Invalid("directory_refused", "roster", "Send the roster that the last entry names, or none.")
    return RosterRow(partnership, agency, named[-1], given)


# offered


def proposed(directory: Directory, caller: Caller, given: membership.ShareProposal) -> SplitRow | list[ShareRow]:
    """Return a split as it waits for a registrar; or its shares, where an entry names them already.

    The second is how a restored server gets them again. The registrar's device verifies the maker's signature.

    Raises:
        Invalid: `not_allowed` for who may not split it, or for shares that are not each its custodian's own;
            `directory_conflict` where the epoch is not there, is split already, or the custodians are others now.

    """
    audience = directory.audiences.get(AudienceId(given.audience))
    if audience is None or given.maker != caller.device or Kid(given.maker) not in audience.members:
        raise Invalid("not_allowed", "splits.maker")
    if not 1 <= given.epoch <= len(audience.epochs):
        raise Invalid("directory_conflict", "splits.epoch")
    if (Kid(given.maker), True) not in directory.entitled(audience, given.epoch):
        raise Invalid("not_allowed", "splits.maker")
    if any(
        (one.audience, one.epoch, one.device) != (given.audience, given.epoch, one.custodian) for one in given.shares
    ):
        raise Invalid("not_allowed", "splits.shares")
    if tuple(one.custodian for one in given.shares) != directory.custodians:
        raise Invalid("directory_conflict", "splits.shares")
    if not is_split(directory, given.audience, given.epoch):
        return SplitRow(caller.partnership, caller.agency, given.audience, given.epoch, encode(given))
    named = directory.shares[audience.audience, given.epoch].shares
    if tuple((one.custodian, one.share) for one in given.shares) != named:
        raise Invalid("directory_conflict", "splits.epoch")
    return [_row(caller.partnership, caller.agency, one) for one in given.shares]


def still_waits(directory: Directory, split: membership.ShareProposal) -> bool:
    """Tell whether a registrar can still sign a split: for the custodians of now, of an epoch that has none yet."""
    custodians = tuple(one.custodian for one in split.shares)
    return custodians == directory.custodians and not is_split(directory, split.audience, split.epoch)


def is_split(directory: Directory, audience: bytes, epoch: int) -> bool:
    """Tell whether an entry names the shares of an epoch for the custodians of now."""
    entry = directory.shares.get((AudienceId(audience), epoch))
    return entry is not None and tuple(kid for kid, _ in entry.shares) == directory.custodians


def given_share(directory: Directory, caller: Caller, given: d.SealedShare) -> ShareRow:
    """Return a share that a custodian gives to a device which recovers.

    Raises:
        Invalid: `not_allowed`, for anybody but the custodian that the entry names, and for a device that is not
            entitled to the epoch; `directory_conflict`, where the entry names another share of that custodian.

    """
    entry = directory.shares.get((AudienceId(given.audience), given.epoch))
    named = {} if entry is None else dict(entry.shares)
    if given.custodian != caller.device or given.custodian not in named:
        raise Invalid("not_allowed", "shares.custodian")
    if given.share != named[given.custodian]:
        raise Invalid("directory_conflict", "shares.share")
    audience = directory.audiences[AudienceId(given.audience)]
    if (Kid(given.device), True) not in directory.entitled(audience, given.epoch):
        raise Invalid("not_allowed", "shares.device")
    return _row(caller.partnership, caller.agency, given)


def sealed(row: ShareRow) -> d.SealedShare:
    """Return a stored share as it is sent."""
    return d.SealedShare(row.audience, row.epoch, row.custodian, row.device, row.share, row.sealed)


def _row(partnership: bytes, agency: bytes, one: d.SealedShare) -> ShareRow:
    return ShareRow(partnership, agency, one.device, one.audience, one.epoch, one.custodian, one.share, one.sealed)
