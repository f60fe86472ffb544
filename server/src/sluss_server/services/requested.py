"""Requests of a kind of their own: who may ask whom, and that the owner has weighed what the statute asks.

What is asked and told is sealed; that the weighing was done stands in clear beside the answer, by its codes.
Source: docs/protocol.md section 4 (`AnswerTerms`), docs/secrecy-rules.md.

> INVARIANT: no answer that grants such a request is stored without everything affirmed that the pack asks.
"""

from __future__ import annotations

import msgspec

from sluss_schemas.codec import decode
from sluss_schemas.policy import requests
from sluss_schemas.problems import Invalid
from sluss_schemas.records import AnswerTerms, Case, CaseKind
from sluss_server.services.filing import Filing, Followed, functions_of


def checked(filing: Filing, case: Case, followed: Followed | None) -> Case:
    """Return a record without the terms that were checked here; one that is no such request or answer as it is.

    Raises:
        Invalid: `not_allowed` for who asks, is asked or answers; `missing_field`, `unknown_field`, `malformed`.

    """
    if case.kind is CaseKind.REQUEST and case.code and not filing.past:
        _asked(filing, case)
    if case.kind is not CaseKind.ANSWER or case.code != "granted" or followed is None:
        return case
    if filing.past:
        return msgspec.structs.replace(case, terms=b"")
    wanted = filing.pack().requests.get(followed.case.code)
    if wanted is None:
        return case
    if wanted.decides not in functions_of(filing.directory, filing.caller.device):
        raise Invalid("not_allowed", "record.device")
    terms = decode(AnswerTerms, case.terms, "record.terms") if case.terms else AnswerTerms(())
    requests.affirmed(wanted, terms.affirmed)
    return msgspec.structs.replace(case, terms=b"")


def _asked(filing: Filing, case: Case) -> None:
    wanted = filing.pack().requests.get(case.code)
    if wanted is None:
        return
    own = filing.directory
    if own.sector not in wanted.receivers:
        raise Invalid("not_allowed", "record.code")
    found = (filing.view.receiver(seal.kid) for seal in case.seals)
    others = {one[0].sector for one in found if one is not None and one[0] is not own}
    if not others <= set(wanted.owners):
        raise Invalid("not_allowed", "record.seals")
