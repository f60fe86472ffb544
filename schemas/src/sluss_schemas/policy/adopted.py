"""Which of the packs that an agency has adopted is in force, and what stands in where that one is not here.

For: a program that is older than the law, on a device or a server.
Refuses: to let an earlier pack decide in the place of a later one that this program does not have.

> INVARIANT: what stands in shares nothing and has a digest of its own, which nobody adopts and no document names.

Source: docs/secrecy-rules.md B7 27; docs/protocol.md section 2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

import msgspec

from sluss_schemas.ids import Digest
from sluss_schemas.policy.model import Pack

_EPOCH: Final = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Return a day as directories count it, from 1 January 1970."""
    return (day - _EPOCH).days


def in_force(packs: Iterable[Pack], adopted: Mapping[bytes, int], day: date) -> Pack | None:
    """Return the pack in force on a local day for who adopted these; None where it is not among the packs given.

    Of those that have begun the latest is in force, before the first one the first, and of two that begin on one day
    the one that was adopted later.

    Args:
        packs: those that this program has.
        adopted: by its digest the day on which each begins, in the order of adoption; one that is here knows its own.
        day: the day.

    """
    known = {bytes(pack.digest): pack for pack in packs}
    begins = {
        digest: day_number(known[digest].valid_from) if digest in known else said for digest, said in adopted.items()
    }
    latest = max(day_number(day), min(begins.values(), default=0))
    begun = [digest for digest, since in begins.items() if since <= latest]
    # Of two that begin alike `max` gives the first.
    return known.get(max(reversed(begun), key=begins.__getitem__)) if begun else None


def stand_in(pack: Pack) -> Pack:
    """Return a pack to write by while the one in force is not here: by it nothing goes to anybody but the owner.

    What a statute obliges to tell stays in it, so that it is asked for as before; it is told by telephone.
    """
    cells = {
        key: cell if key[3] in {key[1], "SUP"} else msgspec.structs.replace(cell, code="X", automatic="X", gateways=())
        for key, cell in pack.cells.items()
    }
    digest = Digest(hashlib.sha256(b"sluss/stand-in" + pack.digest).digest())
    return msgspec.structs.replace(pack, digest=digest, cells=cells, stands_in=True)
