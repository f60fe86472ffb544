"""Defects and meetings: what is shown of the own agency's courses."""

from __future__ import annotations

from sluss_server.aggregates import measures
from sluss_server.aggregates.measures import Meeting
from sluss_server.services import courses
from sluss_server.web.panels import defects, meetings
from sluss_server.web.panels.chart import LIGHT, Look
from sluss_server.web.panels.counts import Figure
from sluss_server.web.panels.figures import codes
from sluss_server.web.wording import words

from tests.forms.samples import PACK

LOOK = Look(words("en"), LIGHT)


def test_a_scene_has_its_own_defects_and_every_state_stands_there() -> None:
    stories = ((1, [(10, 1), (12, 4)]), (2, [(10, 1)]))
    states = codes(PACK, "defect_status")
    everywhere = measures.defect_states(defects.at(stories, 0), 50)
    here = measures.defect_states(defects.at(stories, 2), 50)

    found = defects.states_of(states, everywhere, {code.n: Figure("hidden", 0, 5) for code in states})
    assert [(one.code.n, one.own) for one in found] == [(1, 1), (2, 0), (3, 0), (4, 1), (5, 0), (6, 0)]
    shown = defects.Repairs(day=50, first=0, last=7, states=found, own=here, files=True, at_scene=True, more=False)
    assert (shown.fixed, shown.waiting) == (0, 1)
    assert [band for band in shown.bands if any(band[1:])] == [("within 90 days", 0, 1)]
    view = defects.view(shown, LOOK)
    assert sum(one["n"] for one in view["data"]["values"]) == 1  # type: ignore[index]


def test_a_meeting_is_read_from_the_facts_that_its_pack_names() -> None:
    assert courses.meeting({"meeting": 3, "present": (1, 2), "absent": (5,)}) == Meeting(
        meeting=3, present=frozenset({1, 2}), absent=frozenset({5})
    )
    # An older pack told which meeting it was and nothing else.
    assert courses.meeting({"meeting": 3}) == Meeting(meeting=3)
    assert courses.meeting({}) == Meeting(meeting=None)


def test_both_levels_are_shown_by_agency_and_an_unknown_agency_by_none() -> None:
    held = [(1, Meeting(meeting=1, present=frozenset({1, 77}), absent=frozenset({5}))), (2, Meeting(meeting=10))]
    attended = measures.attendance(meetings.at(held, 0))
    street, heads = meetings.levels_of(attended, codes(PACK, "agency"))

    assert (street.meetings, [code.n for code, _ in street.agencies]) == (1, [1, 5])
    assert (heads.meetings, heads.agencies, heads.per_cent) == (1, (), None)
    assert [one.meetings for one in meetings.levels_of(measures.attendance(meetings.at(held, 2)), ())] == [0, 1]
    shown = meetings.Meetings(first=0, last=1, levels=(street, heads), others=Figure("none"), files=True, more=False)
    view = meetings.view(shown, LOOK)
    assert [one["share"] for one in view["data"]["values"]] == [100, 0]  # type: ignore[index]
