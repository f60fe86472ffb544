"""Agreements at the gate: terms that go below the statutory floor never enter a directory here.

They would open nothing: every device and this server leave such parts out of their decisions.
Refused all the same, so that nobody believes to have agreed on what the law does not leave to them, and written down,
because an attempt is worth knowing of.
Source: docs/secrecy-rules.md B7 7, docs/protocol.md section 2.

> INVARIANT: the floor is the pack of each owner; nothing that a head of agency or an operator sets moves it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sluss_schemas.codec import decode, encode
from sluss_schemas.directory import Body, Entry, SignedEntry
from sluss_schemas.ids import Kid
from sluss_schemas.ledger import DENY, Act
from sluss_schemas.policy.agreements import Refusal, refusals
from sluss_schemas.problems import Invalid
from sluss_schemas.terms import AgreementSigned, Terms, read_terms
from sluss_server.services.caller import Caller
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.services.recording import Recording
from sluss_server.storage.ledger import Leaf


async def check(core: Core, view: View, caller: Caller, entries: Sequence[SignedEntry], bodies: Sequence[Body]) -> None:
    """Return quietly if no entry takes part in an agreement below the floor, as it was when the entry was signed.

    Raises:
        Invalid: `below_floor`; the field is the rule, and its statutes are said and what the law allows instead.
            `pack_missing` where nobody here can say.

    """
    for entry, body in zip(entries, bodies, strict=True):
        if isinstance(body, AgreementSigned):
            terms = read_terms(body.terms)
            core.must_decide(view, {cell.owner for cell in terms.cells}, core.clock())
            below = _below(core, view, terms, decode(Entry, entry.entry, "entries").time)
            if below:
                await _record(core, view, caller, body, terms)
                raise Invalid("below_floor", below[0].rule_id, " ".join(one.say.en for one in below))


def _below(core: Core, view: View, terms: Terms, time: int) -> list[Refusal]:
    """Return what is in the way of terms, each owner's parts by its own pack.

    To and from an agency that is not here, or not back after a restore, nothing can be opened yet.
    """
    found = list[Refusal]()
    for owner in sorted({cell.owner for cell in terms.cells if {cell.owner, cell.receiver} <= view.sectors.keys()}):
        digest = core.rules.now(view.directories[owner].packs, time)
        pack = None if digest is None else core.rules.pack(digest)
        if pack is not None:
            found += refusals(pack, terms, view.sectors, owner=owner)
    return found


async def _record(core: Core, view: View, caller: Caller, body: AgreementSigned, terms: Terms) -> None:
    """Write down that it was tried, by whom, in the ledger of the agency that tried."""
    now, directory = core.clock(), view.directories[caller.agency]
    device = directory.devices.get(Kid(caller.device))
    who = b"" if device is None else device.person
    what, pack = hashlib.sha256(body.terms).digest(), core.rules.now(directory.packs, now) or b""
    act = Act(DENY, what, who, now, "below_floor", pack, terms.agreement)
    await Recording(core).record(caller.partnership, Leaf(caller.agency, DENY, encode(act)))
