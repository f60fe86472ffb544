"""Who is in an audience since when, who is entitled to an epoch, and when a new one is due."""

from __future__ import annotations

from typing import Final

import pytest

from sluss_schemas import directory as d
from sluss_schemas.ids import AudienceId
from sluss_schemas.replay import Directory

from tests.wire.scribe import (
    FIELD,
    NOW,
    SUPERVISORS,
    append,
    device,
    epoch,
    genesis,
    hashed,
    id16,
    kid,
    person,
)
from tests.wire.test_replay import ANOTHER, TOWN


def history(directory: Directory) -> dict[str, int]:
    names = {id16(name): name for name in ("anna", "bo", "cecilia", "disa", "erik")}
    return {names[person]: first for person, first in directory.audiences[AudienceId(FIELD)].history.items()}


@pytest.mark.parametrize(
    ("acts", "left"),
    [
        ([d.DeviceRevoke(kid("anna"), "lost")], {"anna": 1}),
        ([d.DeviceRevoke(kid("anna"), "stolen")], {"anna": 1}),
        ([d.DeviceRevoke(kid("anna"), "replaced")], {"anna": 1}),
        ([d.DeviceRevoke(kid("anna"), "left")], {}),
        ([d.MemberRemove(FIELD, kid("anna"))], {}),
        ([d.PersonSuspend(id16("anna"))], {}),
        ([person("anna", "supervisors")], {}),
        ([person("anna", "field", "supervisors")], {"anna": 1}),
        ([device("anna", "next"), d.MemberAdd(FIELD, kid("next"), 2)], {"anna": 1}),
        ([device("anna", "next"), d.MemberAdd(FIELD, kid("next"), 2), d.MemberRemove(FIELD, kid("anna"))],
         {"anna": 1}),
        ([device("anna", "next"), d.MemberAdd(FIELD, kid("next"), 1), d.DeviceRevoke(kid("anna"), "left")],
         {"anna": 1}),
        ([d.PersonSuspend(id16("anna")), person("anna", "field"), d.MemberAdd(FIELD, kid("anna"), 2)], {"anna": 2}),
    ],
)  # fmt: skip
def test_history_is_the_persons_and_ends_with_their_part_in_the_audience(
    acts: list[d.Body], left: dict[str, int]
) -> None:
    directory = TOWN.copy()
    assert history(directory) == {"anna": 1}

    for act in acts:
        append(directory, act)

    assert history(directory) == left


def crew() -> Directory:
    """Return an agency with one in field, one in both audiences, and one in supervisors, all with their first epoch."""
    directory = Directory()
    append(directory, genesis(), "root")
    people = {"anna": ("field",), "bo": ("field", "supervisors"), "cecilia": ("supervisors",), "disa": ("field",)}
    bodies: tuple[d.Body, ...] = (
        d.AudienceCreate(FIELD, "field"),
        d.AudienceCreate(SUPERVISORS, "supervisors"),
        *(person(name, *functions) for name, functions in people.items()),
        *(device(name, name) for name in people),
        *(d.MemberAdd(FIELD, kid(name), 1) for name in ("anna", "bo")),
        *(d.MemberAdd(SUPERVISORS, kid(name), 1) for name in ("bo", "cecilia")),
        epoch(1, "anna", "bo"),
        epoch(1, "bo", "cecilia", audience=SUPERVISORS),
    )
    for body in bodies:
        append(directory, body, "root")
    return directory


CREW: Final = crew()


@pytest.mark.parametrize(
    ("acts", "due"),
    [
        ([], ""),
        ([d.MemberAdd(FIELD, kid("disa"), 1)], ""),
        ([d.MemberAdd(FIELD, kid("disa"), 2)], "field"),
        ([d.MemberAdd(FIELD, kid("disa"), 2), epoch(2, "anna", "bo", "disa")], ""),
        ([d.DeviceRevoke(kid("anna"), "lost")], "field"),
        ([d.DeviceRevoke(kid("anna"), "lost"), epoch(2, "bo")], ""),
        ([d.MemberRemove(FIELD, kid("anna"))], "field"),
        ([d.MemberRemove(FIELD, kid("anna")), d.MemberAdd(FIELD, kid("anna"), 1)], "field"),
        ([d.PersonSuspend(id16("anna"))], "field"),
        ([person("anna")], "field"),
        ([person("anna", "field", "supervisors")], ""),
        # A supervisor signs with the field group's key; one who stays in field goes on doing so.
        ([d.MemberRemove(SUPERVISORS, kid("cecilia"))], "field supervisors"),
        ([d.MemberRemove(SUPERVISORS, kid("cecilia")), epoch(2, "anna", "bo")], "supervisors"),
        ([d.MemberRemove(SUPERVISORS, kid("bo"))], "supervisors"),
        ([d.MemberRemove(FIELD, kid("bo"))], "field"),
        ([d.DeviceRevoke(kid("bo"), "lost")], "field supervisors"),
        ([d.PersonSuspend(id16("bo"))], "field supervisors"),
        ([person("bo", "field")], "supervisors"),
        # Nobody is left who could make one, or whom one could be for.
        ([d.DeviceRevoke(kid("anna"), "lost"), d.DeviceRevoke(kid("bo"), "lost")], "supervisors"),
    ],
)
def test_a_new_epoch_is_due_when_somebody_left_or_waits(acts: list[d.Body], due: str) -> None:
    directory = CREW.copy()
    for act in acts:
        append(directory, act, "root")

    assert [one.function for one in directory.audiences.values() if one.rotation_due(NOW)] == due.split()


def test_a_new_epoch_is_due_after_ninety_days_and_where_there_is_none() -> None:
    directory = CREW.copy()
    append(directory, d.AudienceCreate(ANOTHER, "reception"), "root")
    field, supervisors, reception = directory.audiences.values()

    assert not field.rotation_due(NOW + 90 * 86_400 - 1)
    assert field.rotation_due(NOW + 90 * 86_400)
    assert not reception.rotation_due(NOW)
    append(directory, person("anna", "field", "reception"), "root")
    append(directory, d.MemberAdd(ANOTHER, kid("anna"), 1), "root")
    assert reception.rotation_due(NOW)
    assert not supervisors.rotation_due(NOW)


@pytest.mark.parametrize(
    ("acts", "number", "whole", "alone"),
    [
        ([], 1, "anna bo", "cecilia"),
        ([], 2, "anna bo", "cecilia"),
        ([], 0, "", ""),
        ([d.MemberAdd(FIELD, kid("disa"), 2)], 1, "anna bo", "cecilia"),
        ([d.MemberAdd(FIELD, kid("disa"), 2)], 2, "anna bo disa", "cecilia"),
        ([epoch(2, "anna", "bo")], 1, "anna bo", ""),
        ([epoch(2, "anna", "bo")], 2, "anna bo", "cecilia"),
        ([d.MemberRemove(FIELD, kid("bo"))], 1, "anna", "bo cecilia"),
        ([d.PersonSuspend(id16("cecilia"))], 1, "anna bo", ""),
    ],
)
def test_who_is_entitled_to_an_epoch_of_field(acts: list[d.Body], number: int, whole: str, alone: str) -> None:
    directory = CREW.copy()
    for act in acts:
        append(directory, act, "root")

    entitled = list(directory.entitled(directory.audiences[AudienceId(FIELD)], number))

    assert [one for one, is_whole in entitled if is_whole] == sorted(kid(name) for name in whole.split())
    assert [one for one, is_whole in entitled if not is_whole] == sorted(kid(name) for name in alone.split())
    supervisors = directory.audiences[AudienceId(SUPERVISORS)]
    assert {is_whole for _, is_whole in directory.entitled(supervisors, 1)} <= {True}


def test_an_epoch_is_in_force_from_its_entry_up_to_the_next_ones() -> None:
    directory = TOWN.copy()
    append(directory, epoch(2, "anna"))
    append(directory, d.PackInForce(hashed("pack"), 65_535))
    first, second_ = directory.audiences[AudienceId(FIELD)].epochs

    assert [first.current_at(seq) for seq in range(second_.opened_seq - 1, directory.seq + 1)] == [True, False, False]
    assert [second_.current_at(seq) for seq in range(second_.opened_seq - 1, directory.seq + 1)] == [False, True, True]
    assert not first.current_at(first.opened_seq - 1)
