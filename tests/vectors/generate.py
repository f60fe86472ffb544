"""Writes the vector files again: `python -m tests.vectors.generate` from the repository's root.

Everything comes out of fixed seeds, so a file changes only when the protocol or a vector does, and its difference is
to be read line by line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.vectors import deliveries, directories, values, world
from tests.vectors.second import chain as c
from tests.vectors.second import primitives as p
from tests.vectors.second import replay
from tests.vectors.second import report as r

FOLDER: Final = Path(__file__).resolve().parent
Json = dict[str, Any]


def _signed(signed: c.Signed) -> Json:
    entry, signer, signature = signed
    return {"entry": entry.hex(), "signer": signer.hex(), "signature": signature.hex()}


def _world() -> Json:
    town = deliveries.TOWN
    agencies = {
        slug: {
            "agency": chain.agency.hex(),
            "root_fingerprint": p.sha256(p.sign_public(world.seed(f"root {slug}"))).hex(),
            "entries": [_signed(entry) for entry in chain.entries],
        }
        for slug, chain in town.chains.items()
    }
    devices = {
        name: {
            "agency": world.agency_of(name),
            "person": person.person.hex(),
            "alias": person.alias,
            "sign_seed": person.sign_seed.hex(),
            "kem_seed": person.kem_seed.hex(),
        }
        for name, person in town.people.items()
    }
    return {
        "now": world.NOW,
        "partnership": town.partnership.hex(),
        "pack": world.PACK.hex(),
        "agencies": agencies,
        "epoch_secrets": {name: group.secret.hex() for name, group in town.groups.items()},
        "devices": devices,
    }


def _put(put: r.Put) -> Json:
    return {
        "manifest": put.manifest.hex(),
        "signature": put.signature.hex(),
        "sections": {str(slot): section.hex() for slot, section in put.sections.items()},
        "seal": None if put.seal is None else put.seal.hex(),
        "wraps": {str(slot): wrap.hex() for slot, wrap in put.wraps.items()},
        "tiers": [None if tier is None else [tier[0].hex(), tier[1].hex()] for tier in put.tiers],
        "grant": None if put.grant is None else [part.hex() for part in put.grant],
    }


def _delivered(one: deliveries.Good) -> r.Put:
    put = r.make(one.draft)
    if one.held:
        put.seal = None
    return put


def _good(one: deliveries.Good) -> Json:
    put, draft = _delivered(one), one.draft
    sections: dict[str, str] = {}
    if not one.held:
        seeds = deliveries.TOWN.kem_seeds()
        opened = r.open_put(put, seeds[one.reader], draft.group.sign_public)
        sections = {str(slot): section.hex() for slot, section in opened.sections.items()}
    expect = {
        "digest": r.digest_of(put.manifest).hex(),
        "report_id": draft.stream.draw("report id", 16).hex(),
        "version": draft.version,
        "kind": one.kind,
        "scene": draft.scene or 0,
        "function": one.function,
        "named": one.named,
        "held": one.held,
        "sections": sections,
    }
    return {"name": one.name, "what": one.what, "reader": one.reader, "put": _put(put), "expect": expect}


def difference(base: Json, bad: Json) -> Json:
    """Return the fields that differ, of sections and wraps the slots; None stands for one that is gone."""
    found: Json = {}
    for name, value in bad.items():
        if isinstance(value, dict):
            before, every = base[name], {**base[name], **value}
            slots = {slot: value.get(slot) for slot in every if before.get(slot) != value.get(slot)}
            found |= {name: slots} if slots else {}
        elif value != base[name]:
            found[name] = value
    return found


def _deliveries() -> Json:
    good = {one.name: _good(one) for one in deliveries.GOOD}
    bad = []
    for one in deliveries.BAD:
        put = r.make(one.draft)
        one.change(put)
        changed = difference(good[one.base]["put"], _put(put))
        bad.append({"name": one.name, "code": one.code, "base": one.base, "put": changed})
    return {"good": list(good.values()), "bad": bad}


def _directories() -> Json:
    bad = [
        {"name": one.name, "code": one.code, "chain": one.chain, "after": one.after, **_signed(one.signed)}
        for one in directories.BAD
    ]
    chains = {name: [_signed(entry) for entry in chain.entries] for name, chain in directories.CHAINS.items()}
    return {"chains": chains, "expect": _state(directories.CHAINS["full"]), "bad": bad}


def _state(chain: c.Chain) -> Json:
    """Return what is true at the end of a chain."""
    found = replay.follow(chain.entries)
    agency, seq, hash_ = chain.head
    audiences = {
        one.function: {
            "members": {kid.hex(): first for kid, first in sorted(one.members.items())},
            "history": {person.hex(): first for person, first in sorted(found.history_of(audience).items())},
            "epochs": [[kid.hex() for kid in epoch.devices] for epoch in one.epochs],
            "left": sorted(kid.hex() for kid in one.left),
            "entitled": sorted([kid.hex(), whole] for kid, whole in found.entitled(audience, len(one.epochs))),
            "due": found.due(audience, chain.time),
        }
        for audience, one in found.audiences.items()
    }
    return {
        "agency": agency.hex(),
        "seq": seq,
        "hash": hash_.hex(),
        "time": chain.time,
        "root": found.root.hex(),
        "registrars": sorted(kid.hex() for kid in found.registrars),
        "revoked": sorted(kid.hex() for kid, one in found.devices.items() if one.revoked),
        "custodians": [kid.hex() for kid in found.custodians],
        "shares": found.bodies["shares"][-1][2][0][1].hex(),
        "roster": found.bodies["roster"][-1][0].hex(),
        "instance": found.bodies["instance"][-1][0].hex(),
        "agreements": {agreement.hex(): state for agreement, state in found.agreements.items()},
        "audiences": audiences,
    }


def _values() -> Json:
    return {
        "padding": values.padding(),
        "keys": values.keys(),
        "epoch_wraps": values.epoch_wraps(),
        "hpke": values.hpke(),
        "sections": values.sections(),
        "splits": values.splits(),
        "shares": values.shares(),
        "rosters": values.rosters(),
        "case_records": values.case_records(),
        "statements": values.statements(),
        "proposals": values.proposals(),
        "messages": values.messages(),
        "codes": values.codes(),
    }


def made() -> Iterator[tuple[str, str]]:
    """Yield every file's name and text."""
    for name, content in (
        ("world", _world()),
        ("deliveries", _deliveries()),
        ("directories", _directories()),
        ("values", _values()),
    ):
        yield f"{name}.json", json.dumps(content, indent=1) + "\n"


if __name__ == "__main__":
    for name, text in made():
        (FOLDER / name).write_text(text, encoding="ascii")
