"""Agreements between agencies, as their heads draft, sign, watch and end them on a device.

An agency takes part by an entry of its own directory: a supervisor's device signs the terms, a registrar's device
appends them, and one device that is both does both at once; otherwise a file goes from the one to the other.
Refuses terms that the statute does not leave to the agencies, with what the law allows instead.
Source: docs/protocol.md section 2, docs/secrecy-rules.md B7 6 and 7.

> INVARIANT: what a draft opens is told before anybody signs it, by the functions that will decide.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, Literal

import msgspec

from sluss_client import clock
from sluss_client.agency import drafting
from sluss_client.agency.registrar import Registrar
from sluss_client.errors import Invalid, Refused, SlussError
from sluss_client.local import Local
from sluss_client.transport import Transport
from sluss_schemas.agency import Agreement
from sluss_schemas.agreeing import State
from sluss_schemas.codec import decode, encode
from sluss_schemas.ids import AgencyId, Kid, kind_code, slot_name, slots_of
from sluss_schemas.policy.agreements import Refusal, gains, refusals, with_terms
from sluss_schemas.policy.simulate import Change, simulate
from sluss_schemas.replay import Directory
from sluss_schemas.terms import (
    AgreementEnd,
    AgreementSigned,
    Terms,
    check_terms,
    read_terms,
    terms_bytes,
    terms_message,
)

_SPACE: Final = "agreement"
_DAY_S: Final = 86_400
WARN_DAYS: Final = (30, 7, 1)
"""So many days before its end whoever looks after an agreement is reminded."""


class Gain(msgspec.Struct, frozen=True):
    """What one agency's field staff would read, or do read, by an agreement."""

    kind: str
    owner: str
    reader: str
    parts: tuple[str, ...]


class AgreementRow(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement that the own agency is a party of, or a draft.

    Attributes:
        id: 32 hexadecimal digits.
        state: how it is now.
        parties: their slugs.
        signed_by: those whose directory has just these terms.
        purpose: what it is for.
        owner: who looks after it.
        not_before: when it begins, in Unix seconds.
        not_after: when it ends; earlier where a party's pin of another ends earlier.
        days_left: whole days until then, while it is in force.
        warns: the reminder that is due: 30, 7 or 1 days before the end, else None.
        scenes: slugs; None for every scene.
        parts: what it opens, as `K13.POL.SIT.SOC = R`.
        refused: why it cannot be in force, if the statute is against it.

    """

    id: str
    state: State
    parties: tuple[str, ...]
    signed_by: tuple[str, ...]
    purpose: str
    owner: str
    not_before: int
    not_after: int
    days_left: int | None
    warns: int | None
    scenes: tuple[str, ...] | None
    parts: tuple[str, ...]
    refused: tuple[Refusal, ...]


class Agreements:
    """The heads' acts on a loaded device."""

    def __init__(self, local: Local, transport: Transport) -> None:
        """Stand on an enrolled device."""
        self._local = local
        self._transport = transport

    # drafting

    def draft(self, text: str) -> AgreementRow:
        """Keep the draft that a TOML text says, under a new id; nobody else sees it before it is signed.

        Raises:
            Invalid: `bad_agreement` with the place in the text, `directory_refused` for terms that no agency could
                sign.

        """
        trust, now = self._local.trust, self._now()
        terms = drafting.read(text, trust, os.urandom(16), now)
        check_terms(terms, trust.own_id, now, "agreement")
        self._local.store.put(_SPACE, terms.agreement, terms_bytes(terms))
        return self._row(terms.agreement, terms, now)

    def file_of(self, agreement: str) -> bytes:
        """Return the terms of a draft, or of what another party signed, to be taken to whoever is to sign them."""
        return terms_bytes(self._find(agreement))

    def gains(self, agreement: str) -> list[Gain]:
        """Return what would be read by an agreement that is not read by the pack alone."""
        trust, terms = self._local.trust, self._find(agreement)
        pack = trust.pack_to_seal(self._now())
        return [
            Gain(
                kind_code(kind),
                self._slug(owner),
                f"{self._slug(receiver)}/field",
                tuple(" ".join(slot_name(number)) for number in slots_of(bits)),
            )
            for kind, owner, receiver, bits in gains(pack, terms, trust.sectors)
        ]

    def simulate(self, agreement: str, act: Literal["signed", "suspended", "terminated", "resumed"]) -> list[Change]:
        """Return who would gain or lose what if an agreement came into force, or ended; nothing where it is so already.

        What other agreements in force open stays open, so nobody loses that. It is told by sector, as a pack is.
        """
        trust, terms, now = self._local.trust, self._find(agreement), self._now()
        row = self._row(terms.agreement, terms, now)
        begins = act in {"signed", "resumed"}
        if row.refused or begins == (row.state == "in_force"):
            return []
        latest = clock.latest(now)
        others = [one.terms for one in trust.agreements if one.in_force(now, latest)]
        without = trust.pack_to_seal(now)
        for other in others:
            if other.agreement != terms.agreement and set(other.parties) <= trust.sectors.keys():
                without = with_terms(without, other, trust.sectors)
        with_it = with_terms(without, terms, trust.sectors)
        return simulate(without, with_it) if begins else simulate(with_it, without)

    # signing

    async def sign(self, what: str | bytes) -> bytes | None:
        """Take the own agency's part in an agreement: by its id, or by the bytes of a file.

        On a registrar's device it is appended, and None is returned. On another supervisor's device what was signed is
        returned, to be taken to a registrar's device, where it is given here again.

        Raises:
            Invalid: `below_floor`, with the rule and the lawful alternatives; the attempt is in the agency's ledger if
                a registrar's device made it. `unknown_agreement`, `directory_refused`, `directory_conflict`.
            Refused: `supervisor_only`, `registrar_only`.
            Untrusted: `pack_missing`; where the floor is, the pack in force says alone.
            Offline: no contact; nothing was appended.

        """
        signed = self._signed(what)
        terms = read_terms(signed.terms)
        local, now = self._local, self._now()
        below = refusals(local.trust.pack_to_seal(now), terms, local.trust.sectors)
        registers = Registrar.present(local)
        if below:
            refusal = Invalid("below_floor", below[0].rule_id, " ".join(one.say.en for one in below))
            if registers:
                # The server refuses it as well, and writes down that it was tried.
                with suppress(SlussError):
                    await self._append(signed)
            raise refusal
        if not registers:
            return encode(signed)
        await self._append(signed)
        local.store.delete(_SPACE, terms.agreement)
        return None

    async def end(self, agreement: str, state: Literal["suspended", "terminated", "resumed"] = "terminated") -> None:
        """End the own part in an agreement, or suspend or resume it; what it opened falls back at that second.

        Raises:
            Refused: `registrar_only`.
            Invalid: `unknown_agreement`, `directory_refused` where it is in another state.

        """
        terms = self._find(agreement)
        if terms.agreement not in self._local.trust.own.agreements:
            self._local.store.delete(_SPACE, terms.agreement)
            return
        await Registrar(self._local, self._transport).append([AgreementEnd(terms.agreement, state)])

    # looking

    def rows(self) -> list[AgreementRow]:
        """Return the agreements of the own agency and the drafts of this device, the one that ends first before."""
        now = self._now()
        known = {terms.agreement: terms for terms in self._known()}
        found = [self._row(agreement, terms, now) for agreement, terms in known.items()]
        return sorted(found, key=lambda row: (row.not_after, row.id))

    def ending(self) -> list[AgreementRow]:
        """Return those in force that end within 30 days."""
        return [row for row in self.rows() if row.warns is not None]

    # the parts of these

    def _row(self, agreement: bytes, terms: Terms, now: int) -> AgreementRow:
        trust, data = self._local.trust, terms_bytes(terms)
        parts = {party: _part(trust.chains.get(AgencyId(party)), agreement) for party in terms.parties}
        same = [party for party, part in parts.items() if part is not None and part.data == data]
        pack = trust.pack(now)
        # Where the floor is, what stands in for the pack cannot say.
        refused = () if pack.stands_in else tuple(refusals(pack, terms, trust.sectors))
        ends = next((one.ends for one in trust.agreements if one.terms == terms), terms.not_after)
        state = self._state(terms, parts, now, ends, below=bool(refused))
        left = ends - now if state == "in_force" else None
        scenes = trust.registry(now)
        return AgreementRow(
            id=agreement.hex(),
            state=state,
            parties=tuple(sorted(self._slug(party) for party in terms.parties)),
            signed_by=tuple(sorted(self._slug(party) for party in same)),
            purpose=terms.purpose,
            owner=terms.owner,
            not_before=terms.not_before,
            not_after=ends,
            days_left=None if left is None else left // _DAY_S,
            warns=None if left is None else min((days for days in WARN_DAYS if left <= days * _DAY_S), default=None),
            scenes=None if terms.scenes is None else tuple(scenes[one].slug for one in terms.scenes if one in scenes),
            parts=tuple(self._opened(terms)),
            refused=refused,
        )

    def _state(self, terms: Terms, parts: dict[bytes, Agreement | None], now: int, ends: int, *, below: bool) -> State:
        """Return how an agreement is; of several things that end it, the one that says most."""
        told = {part.state for part in parts.values() if part is not None}
        if below:
            return "refused_below_floor"
        if "terminated" in told:
            return "terminated"
        if told and clock.latest(now) >= ends:
            return "expired"
        if "suspended" in told:
            return "suspended"
        if any(one.terms == terms and one.in_force(now, clock.latest(now)) for one in self._local.trust.agreements):
            return "in_force"
        return "signed" if told else "draft"

    def _opened(self, terms: Terms) -> Iterator[str]:
        sectors = self._local.trust.sectors
        for cell in terms.cells:
            owner, receiver = (sectors.get(one, "?") for one in (cell.owner, cell.receiver))
            yield f"{kind_code(cell.kind)}.{owner}.{cell.compartment}.{receiver} = {cell.code}"

    def _known(self) -> Iterator[Terms]:
        """Yield the agreements known here that are the own agency's to look after.

        Of two with one id the later counts: a draft of this device before another party's word, and what the own
        agency has signed before everything.
        """
        trust, now = self._local.trust, self._now()
        others = [terms for chain in trust.agencies(now)[1:] for terms in _terms_of(chain)]
        yield from (terms for terms in others if trust.own_id in terms.parties)
        for _, data in self._local.store.items(_SPACE):
            yield read_terms(data)
        yield from _terms_of(trust.own)

    def _find(self, agreement: str) -> Terms:
        found = {
            terms.agreement: terms for terms in self._known() if terms.agreement.hex().startswith(agreement.lower())
        }
        if len(found) != 1 or not agreement:
            raise Invalid("unknown_agreement", "agreement")
        return next(iter(found.values()))

    def _signed(self, what: str | bytes) -> AgreementSigned:
        """Return the signed terms: those of a file as they are, or newly signed by this device."""
        if isinstance(what, str):
            data = terms_bytes(self._find(what))
        elif (signed := _read_signed(what)) is None:
            data = terms_bytes(read_terms(what, "agreement"))
        elif Kid(signed.head) not in self._local.trust.own.devices:
            # Another party's head signed for that party; the terms are there to be signed here as well.
            data = signed.terms
        elif not Registrar.present(self._local):
            raise Refused("device", code="registrar_only")
        else:
            return signed
        if "supervisors" not in self._local.person.functions:
            raise Refused("agreement", code="supervisor_only")
        keys = self._local.keys
        return AgreementSigned(data, keys.kid, keys.sign.sign(terms_message(data)))

    async def _append(self, signed: AgreementSigned) -> None:
        await Registrar(self._local, self._transport).append([signed])

    def _slug(self, agency: bytes) -> str:
        chain = self._local.trust.chains.get(AgencyId(agency))
        return agency.hex()[:8] if chain is None else chain.slug

    def _now(self) -> int:
        return self._transport.now()


def _read_signed(data: bytes) -> AgreementSigned | None:
    try:
        return decode(AgreementSigned, data, "agreement")
    except Invalid:
        return None


def _terms_of(chain: Directory) -> list[Terms]:
    return [one.terms for one in chain.agreements.values()]


def _part(chain: Directory | None, agreement: bytes) -> Agreement | None:
    """Return an agency's part in an agreement, if its directory is here and has one."""
    return None if chain is None else chain.agreements.get(agreement)
