"""When an agreement is in force: every party, its last word, every pin and the second, in any combination."""

from __future__ import annotations

from itertools import permutations
from typing import Final, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sluss_schemas import directory as d
from sluss_schemas.agency import Agreement
from sluss_schemas.agreeing import standing
from sluss_schemas.ids import AgencyId, Kid
from sluss_schemas.replay import Directory
from sluss_schemas.terms import Terms, TermsCell, terms_bytes

PARTIES: Final = (b"a" * 16, b"b" * 16, b"c" * 16)
BEGINS, ENDS = 1000, 2000
TERMS: Final = Terms(
    b"t" * 16, PARTIES, (TermsCell(13, PARTIES[0], "SIT", PARTIES[1], "R"),), None, "Why.", "S-1", BEGINS, ENDS
)
OTHER: Final = replace(TERMS, not_after=ENDS + 1)
Part = tuple[Terms, Literal["signed", "suspended", "terminated"]] | None
Pin = Literal["none", "right", "another root"] | int

STANDS: Final[Part] = (TERMS, "signed")
PARTS: Final = st.sampled_from(
    [STANDS, STANDS, STANDS, None, (TERMS, "suspended"), (TERMS, "terminated"), (OTHER, "signed")]
)
PINS: Final = st.one_of(st.just("right"), st.just("right"), st.sampled_from(["none", "another root"]), st.just(1500))
PAIRS: Final = list(permutations(range(3), 2))


def root(number: int) -> bytes:
    return bytes([number]) * 32


def chains(parts: tuple[Part, ...], pins: list[Pin]) -> dict[AgencyId, Directory]:
    """Return three directories as they would be after their entries."""
    found = {}
    for number, (party, part) in enumerate(zip(PARTIES, parts, strict=True)):
        directory = Directory()
        directory.agency = AgencyId(party)
        directory.genesis = d.Genesis(
            b"p" * 16,
            "x",
            "POL",
            "x",
            "x",
            registry=False,
            root=root(number),
            next_root=bytes(32),
            checkpoint=bytes(32),
        )
        if part is not None:
            terms, state = part
            directory.agreements = {terms.agreement: Agreement(terms, terms_bytes(terms), Kid(bytes(16)), state)}
        found[directory.agency] = directory
    for (one, other), pin in zip(PAIRS, pins, strict=True):
        own, peer = found[AgencyId(PARTIES[one])], found[AgencyId(PARTIES[other])]
        if pin != "none":
            fingerprint = bytes(32) if pin == "another root" else peer.root_fingerprint
            own.peers[peer.agency] = d.Peer(peer.agency, fingerprint, "", pin if isinstance(pin, int) else None)
    return found


@given(st.tuples(PARTS, PARTS, PARTS), st.lists(PINS, min_size=6, max_size=6), st.integers(990, 2010))
def test_it_is_in_force_exactly_when_all_stand_by_it_pin_each_other_and_it_is_time(
    parts: tuple[Part, ...], pins: list[Pin], at: int
) -> None:
    found = [one for one in standing(chains(parts, pins)) if one.in_force(at)]

    same = all(part == STANDS for part in parts) or all(part == (OTHER, "signed") for part in parts)
    pinned = all(pin == "right" or (isinstance(pin, int) and at < pin) for pin in pins)
    assert bool(found) is (same and pinned and BEGINS <= at < (parts[0] or (TERMS, ""))[0].not_after)


@pytest.mark.parametrize("missing", range(3))
def test_where_a_partys_directory_is_not_here_nothing_stands(missing: int) -> None:
    known = chains((STANDS, STANDS, STANDS), ["right"] * 6)
    assert len(standing(known)) == 1

    del known[AgencyId(PARTIES[missing])]
    assert standing(known) == ()
