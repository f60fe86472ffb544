"""Requests of a kind of their own: what a pack may say of them, and what an answer may tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sluss_schemas.policy import PackRefused, builtin, invariants, requests
from sluss_schemas.policy.requests import RequestType
from sluss_schemas.problems import Invalid

PACK = builtin()[-1]
CONTACT = PACK.requests["contact_details"]


def changed(**values: Any) -> RequestType:  # noqa: ANN401  # a field's value
    return msgspec.structs.replace(CONTACT, **values)


@pytest.mark.parametrize(
    "values",
    [
        {"law": ()},
        {"tests": ()},
        {"fields": ()},
        {"receivers": ("POL", "SOC")},
        {"fields": (msgspec.structs.replace(CONTACT.fields[0], form="("),)},
    ],
)
def test_a_pack_says_by_which_law_what_is_weighed_and_what_is_told(values: dict[str, Any]) -> None:
    requests.check({"contact_details": CONTACT}, PACK.gateways)
    with pytest.raises(PackRefused, match="contact_details"):
        requests.check({"contact_details": changed(**values)}, PACK.gateways)


def test_a_request_is_not_called_as_a_ground_is() -> None:
    with pytest.raises(PackRefused):
        requests.check({next(iter(PACK.gateways)): CONTACT}, PACK.gateways)


def test_an_agencys_pack_neither_widens_nor_drops_it() -> None:
    for wider in ({}, {"contact_details": changed(receivers=("POL", "SEC"))}, {"contact_details": changed(tests=())}):
        own = msgspec.structs.replace(PACK, requests=wider)
        assert [one.cell for one in invariants.check_against_floor(own, PACK)] == ["request"]


def test_before_the_statute_there_is_none() -> None:
    assert [pack.id for pack in builtin() if not pack.requests] == [builtin()[0].id]


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda: requests.affirmed(CONTACT, ()), "missing_field"),
        (lambda: requests.affirmed(CONTACT, ("no_strong_reasons", "because")), "unknown_field"),
        (lambda: requests.told(CONTACT, {}), "missing_field"),
        (lambda: requests.told(CONTACT, {"health": "good"}), "unknown_field"),
        (lambda: requests.told(CONTACT, {"telephone": "he sleeps badly"}), "wrong_type"),
        (lambda: requests.told(CONTACT, {"address": "A" * 121}), "wrong_type"),
        (lambda: requests.told(CONTACT, {"name": "Nils\nHe sleeps badly"}), "wrong_type"),
    ],
)
def test_an_answer_is_weighed_and_has_the_fields_of_the_pack_alone(act: Callable[[], object], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        act()
    assert refused.value.code == code


def test_what_is_told_stands_in_the_packs_order() -> None:
    told = requests.told(CONTACT, {"email": "nils@example.org", "personal_number": "20030102-1234", "name": "Nils Ek"})
    assert [field for field, _ in told] == ["name", "personal_number", "email"]
