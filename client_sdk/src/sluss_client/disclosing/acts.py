"""The calls of a device about disclosures; `Device` has them all.

Nothing here touches the network: what is decided is durable when the call returns, and leaves with the next sync.
Source: docs/contract.md, "The SDK".

> INVARIANT: what is decided on this device is checked before it is kept, and again when it is sealed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Literal

from sluss_client import views
from sluss_client.disclosing import deciding, disputing, offering, proposing, recalling, releasing, reviewing, work
from sluss_client.disclosing.answers import Disclosure, Dispute, Offer, Proposal, Recall, Received, Review
from sluss_client.opened import Opened
from sluss_schemas.ids import PersonId, ReportId


class Disclosing(Opened):
    """An open device, as far as disclosures go."""

    def offers(self, report_id: ReportId | str) -> list[Offer]:
        """Return the grounds on which parts of an own agency's report may be disclosed now; no network.

        Raises:
            NotFound: no such report of the own agency here.
            Refused: `closed`, `lease_ended` where this person may not read it now.

        """
        return offering.offers(self._local, views.as_id(report_id), self._transport.now())

    async def disclose(
        self,
        report_id: ReportId | str,
        gateway: str,
        *,
        to: Sequence[PersonId | str] = (),
        compartments: Collection[str] = (),
        tests: Mapping[str, bool] | None = None,
        reasons: Mapping[str, str] | None = None,
        until: datetime | None = None,
        excerpt: Mapping[str, Collection[str]] | None = None,
        consent: bytes | None = None,
        offence: str = "",
        attempt: bool = False,
    ) -> Disclosure:
        """Decide that named persons get parts of a report; durable when it returns, sealed and sent by the next sync.

        Args:
            report_id: a report of the own agency.
            gateway: code of the ground, as `offers` lists it.
            to: person ids or aliases of `people`; empty where the ground obliges to tell an agency.
            compartments: names of the parts.
            tests: the preconditions, each affirmed: `{"concrete_circumstances": True}`.
            reasons: what was written for those tests that ask for it.
            until: an earlier end than the ground's.
            excerpt: by part the fields to keep, where less than the part is given: `{"subject": ["name"]}`.
            consent: the record of the consent that it rests on.
            offence: the pack's code of the offence, where the ground asks for one; `offers` lists those that weigh
                enough.
            attempt: whether it is only its attempt, preparation or conspiracy.

        Raises:
            NotFound: no such report of the own agency here.
            Refused: `no_ground`, `not_a_decider`, `age_limit`, `no_consent`, `closed`, `lease_ended`.
            Invalid: `missing_field` with the field, for instance `tests.minimum`; `unknown_field`, `unknown_code`,
                `unknown_person`, `out_of_range`, `too_long`, `naive_time`.

        """
        wanted = deciding.Wanted(
            gateway=gateway,
            to=to,
            compartments=compartments,
            tests=tests or {},
            reasons=reasons or {},
            until=deciding.seconds(until, "until"),
            excerpt=excerpt or {},
            consent=consent,
            offence=offence,
            attempt=attempt,
        )
        kept = deciding.decide(self._local, views.as_id(report_id), wanted, self._transport.now())
        return self._decided(kept.grant_id)

    async def release(self, report_id: ReportId | str, at: datetime | None = None) -> Disclosure:
        """Let a report that was kept back go to everybody to whom the pack opens it, at once or at a time.

        Raises:
            NotFound: no such report of the own agency here.
            Refused: `supervisor_only`, `not_held`, `protected_place`, `closed`, `lease_ended`.
            Invalid: `out_of_range`, `naive_time`.

        """
        when = deciding.seconds(at, "at")
        kept = releasing.release(self._local, views.as_id(report_id), when, self._transport.now())
        return self._decided(kept.grant_id)

    def disclosures(self) -> list[Disclosure]:
        """Return what this device's person decided and what became of it, newest first; no network."""
        return work.disclosures(self._local, self._transport.now())

    def _decided(self, grant_id: bytes) -> Disclosure:
        return next(one for one in self.disclosures() if one.id == grant_id)

    def proposals(self) -> list[Proposal]:
        """Return what others propose to disclose and this person may approve, oldest first; no network."""
        return proposing.proposals(self._local, self._transport.now())

    async def approve(self, record: bytes) -> None:
        """Approve a proposal; `NotFound` unless it waits for this person."""
        proposing.answer(self._local, record, "", self._transport.now(), approve=True)

    async def refuse(self, record: bytes, reason: str) -> None:
        """Refuse a proposal, with a reason for whoever proposed it; raises as `approve`, and `Invalid`."""
        proposing.answer(self._local, record, reason, self._transport.now(), approve=False)

    async def recall(self, grant_id: bytes, reason: str, code: Literal["recalled", "corrected"] = "recalled") -> None:
        """Take back what was disclosed; receivers' devices let go of it and confirm that they have.

        Raises:
            NotFound: no such decision here.
            Refused: `not_a_decider` unless it is one's own, or one is a supervisor who was asked to review it.
            Invalid: `missing_field`, `too_long`, `out_of_range` where it has ended already.

        """
        recalling.recall(self._local, grant_id, reason, code, self._transport.now())

    def recalls(self) -> list[Recall]:
        """Return the own agency's recalls with the devices that have confirmed and those that have not; no network."""
        return recalling.recalls(self._local, self._transport.now())

    def reviews(self) -> list[Review]:
        """Return the decisions that the own supervisors look at afterwards, oldest first; no network."""
        return reviewing.reviews(self._local, self._transport.now())

    async def review(self, grant_id: bytes, *, upheld: bool, reason: str) -> None:
        """Say whether a decision stands; one that does not is recalled by it.

        Raises:
            NotFound: no such review waits here.
            Refused: `supervisor_only`; `not_allowed` for one's own decision.
            Invalid: `missing_field`, `too_long`.

        """
        reviewing.review(self._local, grant_id, reason, self._transport.now(), upheld=upheld)

    def received(self) -> list[Received]:
        """Return what other agencies disclosed to this person and what stands now; no network."""
        return disputing.received(self._local, self._transport.now())

    def dispute(self, grant_id: bytes, text: str) -> bytes:
        """Challenge a disclosure that was received or given here, before the supervisors of both agencies.

        The text is about the disclosure and says nothing of what was disclosed. Return the record's id.

        Raises:
            NotFound: no such disclosure here.
            Invalid: `missing_field`, `too_long`.

        """
        return disputing.dispute(self._local, grant_id, text, self._transport.now())

    def settle(self, grant_id: bytes, text: str) -> bytes:
        """Settle a dispute of a disclosure of the own agency, as a supervisor who neither decided nor challenged it.

        Raises:
            NotFound: no such dispute is open here.
            Refused: `supervisor_only`; `not_allowed`.
            Invalid: `missing_field`, `too_long`.

        """
        return disputing.settle(self._local, grant_id, text, self._transport.now())

    def disputes(self) -> list[Dispute]:
        """Return the disputes that this person filed or is told of, newest first; no network."""
        return disputing.disputes(self._local)
