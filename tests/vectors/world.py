"""The town of the vectors: three agencies, their people, devices, groups and directories, all from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.vectors.second import chain as c
from tests.vectors.second import primitives as p
from tests.vectors.second.report import Group, Person
from tests.vectors.second.stream import Stream

NOW: Final = 1_790_000_000
"""In September 2026; every delivery is opened at this time."""
_START: Final = NOW - 30 * 86_400
PACK: Final = p.sha256(b"sluss vectors: the pack that is built in")
PACK_BEGINS: Final = 20_468
"""Stands for the built-in pack, so that a vector does not change with the wording of a rule's reason."""
_SECTORS: Final = {"security": "SEC", "police": "POL", "social_services": "SOC"}
_PEOPLE: Final = {
    "guard": ("security", "S-1", "field"),
    "colleague": ("security", "S-2", "field"),
    "boss": ("security", "S-3", "supervisors"),
    "officer": ("police", "P-1", "field"),
    "fieldworker": ("social_services", "F-1", "field"),
    "receiver": ("social_services", "F-2", "reception"),
}
_stream: Final = Stream("world")


def agency_of(name: str) -> str:
    """Return the agency of a person, or of an audience written `police/field`."""
    return name.split("/", maxsplit=1)[0] if "/" in name else _PEOPLE[name][0]


def seed(name: str) -> bytes:
    return _stream.draw(name)


def id16(name: str) -> bytes:
    return _stream.draw(name, 16)


@dataclass(frozen=True)
class Town:
    """Chains by agency, people by name, groups by audience."""

    partnership: bytes
    chains: dict[str, c.Chain]
    people: dict[str, Person]
    groups: dict[str, Group]

    @property
    def heads(self) -> tuple[tuple[bytes, int, bytes], ...]:
        return tuple(chain.head for chain in self.chains.values())

    def kem_seeds(self) -> dict[str, bytes]:
        """Return the KEM seed of every audience and device, by its name."""
        groups = {name: group.kem_seed for name, group in self.groups.items()}
        return groups | {name: person.kem_seed for name, person in self.people.items()}


def person(name: str) -> Person:
    _, alias, function = _PEOPLE[name]
    return Person(
        person=id16(f"person {name}"),
        alias=alias,
        function=function,
        sign_seed=seed(f"sign {name}"),
        kem_seed=seed(f"kem {name}"),
    )


def genesis(slug: str, partnership: bytes, *, registry: bool) -> list[object]:
    root, following = p.sign_public(seed(f"root {slug}")), p.sign_public(seed(f"next root {slug}"))
    checkpoint = p.sign_public(seed("checkpoint"))
    label = slug.replace("_", " ").capitalize()
    return [partnership, slug, _SECTORS[slug], label, label, registry, root, p.sha256(following), checkpoint]


def build() -> Town:
    partnership = id16("partnership")
    people = {name: person(name) for name in _PEOPLE}
    chains: dict[str, c.Chain] = {}
    groups: dict[str, Group] = {}
    for slug in _SECTORS:
        chain = chains[slug] = c.Chain(_START)
        registrar = seed(f"registrar {slug}")
        chain.add("genesis", genesis(slug, partnership, registry=slug == "security"), seed(f"root {slug}"))
        chain.add("registrar_add", [p.sign_public(registrar)], seed(f"root {slug}"))
        chain.add("pack", [PACK, PACK_BEGINS], registrar)
        if slug == "security":
            scene = [1, "central-square", "Central square", "Centrala torget", None, "confirmed"]
            chain.add("scene", scene, registrar)
        here = {name: person for name, person in people.items() if _PEOPLE[name][0] == slug}
        for name, one in here.items():
            _enrol(chain, partnership, name, one, registrar)
        for function in sorted({one.function for one in here.values()}):
            name = f"{slug}/{function}"
            group = groups[name] = Group(secret=seed(f"epoch {name}"))
            members = sorted(one.device for one in here.values() if one.function == function)
            _open_epoch(chain, name, group, members, registrar)
    for slug, chain in chains.items():
        for other, another in chains.items():
            if other != slug:
                fingerprint = p.sha256(p.sign_public(seed(f"root {other}")))
                chain.add("peer", [another.agency, fingerprint, "", None], seed(f"registrar {slug}"))
    return Town(partnership, chains, people, groups)


def _enrol(chain: c.Chain, partnership: bytes, name: str, one: Person, registrar: bytes) -> None:
    invite, sign_key, kem_key = id16(f"invite {name}"), p.sign_public(one.sign_seed), p.kem_public(one.kem_seed)
    proof = p.sign(one.sign_seed, c.enrolment_message(partnership, invite, sign_key, kem_key))
    chain.add("person_add", [one.person, one.alias, [one.function], None, None], registrar)
    chain.add("device_add", [one.person, invite, sign_key, kem_key, proof], registrar)


def _open_epoch(chain: c.Chain, name: str, group: Group, members: Sequence[bytes], registrar: bytes) -> None:
    audience = id16(f"audience {name}")
    chain.add("audience_create", [audience, name.split("/")[1]], registrar)
    for device in members:
        chain.add("member_add", [audience, device, 1], registrar)
    wraps = p.sha256(name.encode())
    body = [audience, 1, 2, group.kem_public, group.sign_public, wraps, list(members)]
    chain.add("epoch", body, registrar)
