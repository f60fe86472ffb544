"""What a device believes: chains that hold together, of agencies that its own one pins, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec
import pytest

from sluss_client import Untrusted
from sluss_client.agency.chain import Chain
from sluss_client.agency.founding import Founded, found
from sluss_client.crypto import SignKey
from sluss_client.keys import DeviceKeys, DeviceSeeds
from sluss_client.trust import Trust, local_day
from sluss_schemas import directory as d
from sluss_schemas.ids import AGENCY_SECTORS, SECTORS, AgencyId
from sluss_schemas.invitation import Code
from sluss_schemas.policy.adopted import day_number
from sluss_schemas.policy.answers import Receiver
from sluss_schemas.replay import Directory

NOW = 1_790_000_000
PARTNERSHIP = b"p" * 16
REGISTRARS: dict[bytes, SignKey] = {}
"""The registrar's key of each agency that was founded here."""


def founded(slug: str, partnership: bytes = PARTNERSHIP, *, registry: bool = False) -> Founded:
    """Return a new agency's first entries."""
    founding = (slug, AGENCY_SECTORS[slug], registry, SignKey(os.urandom(32)).public)
    code = Code("http://127.0.0.1:9", partnership, os.urandom(16), os.urandom(16), None, None, founding)
    keys = DeviceKeys.of(DeviceSeeds.new())
    made = found(code, keys, ["field"], NOW)
    REGISTRARS[made.agency] = keys.sign
    return made


def following(before: Founded, *bodies: d.Body, seed: bytes | None = None) -> list[d.SignedEntry]:
    """Return entries that follow an agency's first ones, signed by its registrar or another key."""
    directory = Directory()
    for entry in before.entries:
        directory.append(entry)
    chain = Chain(directory)
    if seed is None:
        for body in bodies:
            chain.add(body, REGISTRARS[before.agency], NOW)
        return chain.entries
    key = SignKey(seed)
    data = d.entry_bytes(directory.seq + 1, directory.hash, bodies[0], NOW)
    return [d.SignedEntry(data, d_kid(key), key.sign(d.entry_message(data)))]


def d_kid(key: SignKey) -> bytes:
    from sluss_schemas.ids import kid_of  # noqa: PLC0415  # one use

    return kid_of(key.public)


def trusting(own: Founded) -> Trust:
    trust = Trust(PARTNERSHIP, AgencyId(own.agency), own.root)
    trust.extend(AgencyId(own.agency), 0, own.entries)
    return trust


PERSON = d.PersonAdd(b"q" * 16, "S-9", ("field",), None, None)
Break = Callable[[list[d.SignedEntry]], list[d.SignedEntry]]


def flipped(entry: d.SignedEntry) -> d.SignedEntry:
    return msgspec.structs.replace(entry, entry=entry.entry[:-1] + bytes([entry.entry[-1] ^ 1]))


@pytest.mark.parametrize(
    "broken",
    [
        lambda entries: entries[1:],
        lambda entries: entries[::-1],
        lambda entries: [entries[0], entries[0]],
        lambda entries: [entries[0], flipped(entries[1])],
        lambda entries: [entries[0], msgspec.structs.replace(entries[1], signature=bytes(64))],
        lambda entries: [entries[0], msgspec.structs.replace(entries[1], signer=bytes(16))],
        lambda entries: [entries[0], msgspec.structs.replace(entries[1], entry=b"")],
        lambda entries: [entries[0], msgspec.structs.replace(entries[1], entry=entries[1].entry + b"\x00")],
    ],
    ids=["gap", "order", "twice", "changed", "unsigned", "unknown signer", "empty", "longer"],
)
def test_a_chain_that_is_broken_is_not_believed_not_even_its_good_beginning(broken: Break) -> None:
    own = founded("security")
    trust = trusting(own)
    before = trust.own.head

    with pytest.raises(Untrusted) as problem:
        trust.extend(
            trust.own_id,
            before.seq + 1,
            broken(following(own, PERSON, msgspec.structs.replace(PERSON, person=b"r" * 16, alias="S-10"))),
        )

    # The second of two entries, where the first should be, leaves that one out.
    assert problem.value.code in {"untrusted_directory", "directory_gap"}
    assert trust.own.head == before
    trust.extend(trust.own_id, before.seq + 1, following(own, PERSON))
    assert trust.own.head.seq == before.seq + 1


def test_an_entry_by_somebody_else_is_not_believed() -> None:
    own, other = founded("security"), founded("police")
    trust = trusting(own)

    for seed in (other.next_root_seed, other.root_seed, os.urandom(32)):
        with pytest.raises(Untrusted):
            trust.extend(trust.own_id, trust.own.seq + 1, following(own, PERSON, seed=seed))


def test_entries_that_leave_some_out_or_repeat_some_are_not_believed() -> None:
    own = founded("security")
    trust = trusting(own)
    more = following(own, PERSON)

    for first in (0, trust.own.seq, trust.own.seq + 2, -1):
        with pytest.raises(Untrusted) as problem:
            trust.extend(trust.own_id, first, more)
        assert (problem.value.code == "directory_gap") == (first > trust.own.seq + 1)


def test_an_own_agency_with_another_root_or_partnership_is_not_believed() -> None:
    own, false = founded("security"), founded("security")
    elsewhere = founded("security", b"x" * 16)
    for chain in (false, elsewhere):
        trust = Trust(PARTNERSHIP, AgencyId(own.agency), own.root)
        with pytest.raises(Untrusted):
            trust.extend(AgencyId(own.agency), 0, chain.entries)
        with pytest.raises(Untrusted):
            _ = trust.own


def test_an_agency_counts_only_while_the_own_directory_pins_it() -> None:
    own, police = founded("security"), founded("police", registry=True)
    trust = trusting(own)
    agency = AgencyId(police.agency)
    trust.extend(agency, 0, police.entries)
    assert [chain.slug for chain in trust.agencies(NOW)] == ["security"]
    assert trust.agency(agency, NOW) is None
    assert len(trust.heads(NOW)) == 1

    until = NOW + 100
    trust.extend(trust.own_id, trust.own.seq + 1, following(own, d.Peer(agency, police.root, "", until)))

    assert [chain.slug for chain in trust.agencies(NOW)] == ["security", "police"]
    assert {one.label for one in trust.audiences(NOW)} >= {"police/field", "security/field"}
    assert [chain.slug for chain in trust.agencies(until)] == ["security"]
    assert not any(one.label.startswith("police") for one in trust.audiences(until))


def test_an_agency_that_is_pinned_by_another_root_does_not_count() -> None:
    own, police = founded("security"), founded("police")
    trust = trusting(own)
    agency = AgencyId(police.agency)
    trust.extend(agency, 0, police.entries)

    trust.extend(trust.own_id, trust.own.seq + 1, following(own, d.Peer(agency, own.root, "", None)))

    assert trust.agency(agency, NOW) is None


def test_without_the_pack_in_force_nothing_is_sealed_and_what_stands_in_shares_nothing() -> None:
    own = founded("security")
    trust = trusting(own)
    last = trust.pack(NOW)
    missing = day_number(local_day(NOW, last.zone))
    trust.own.packs[bytes(32)] = missing + 1
    assert trust.pack_to_seal(NOW) is trust.pack(NOW) is last
    trust.own.packs[bytes(32)] = missing
    found = trust.pack(NOW)
    assert found.stands_in
    with pytest.raises(Untrusted) as problem:
        trust.pack_to_seal(NOW)
    assert problem.value.code == "pack_missing"
    assert found.digest not in {last.digest, *trust.own.packs}
    assert trust.pack(NOW) is found
    for kind in found.kinds.values():
        for owner in kind.owners:
            for sector in SECTORS:
                for function in ("field", "supervisors", "reception"):
                    for named in (False, True):
                        other = Receiver(sector, function, own=False, named=named)
                        got = trust.slots(found, kind.number, owner, other)
                        assert (got.open, got.held, got.gateways) == (0, 0, {})
            for own_staff in (Receiver(owner, "field", own=True), Receiver(owner, "supervisors", own=True)):
                as_before = trust.slots(last, kind.number, owner, own_staff)
                assert trust.slots(found, kind.number, owner, own_staff) == as_before
    # One that begins on the same day and was adopted later is in force, as a correction is.
    trust.own.packs = {bytes(32): day_number(last.valid_from), last.digest: 0}
    assert trust.pack(NOW) is last
    # Where nothing that was adopted is here, the latest that the program has is what it writes by.
    trust.own.packs = {bytes(32): 0}
    assert trust.pack(NOW).stands_in
    assert trust.pack(NOW).valid_from == last.valid_from
