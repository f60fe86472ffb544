"""The weekly pack on paper: two A4 pages, tagged, in Swedish or in English.

The document is a template beside this module; what it says comes to it as data and is set as text.
Refuses to grow: what has no room on two pages is named as being left out, and stands in the CSV.
Source: PDF/UA-1 (ISO 14289-1).

> INVARIANT: the same contents give the same bytes, on every machine: no clock, no font of the machine, no random id.
> INVARIANT: no text is read as markup, and nothing is read from disk or network but the template.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import typst

from sluss_server.aggregates.cells import date_of
from sluss_server.web.panels.base import mark
from sluss_server.web.panels.counts import Figure
from sluss_server.web.panels.duties import Duty
from sluss_server.web.panels.objectives import Aim
from sluss_server.web.panels.pulse import Pulse
from sluss_server.web.panels.zones import Zone
from sluss_server.web.weekly.contents import Contents
from sluss_server.web.wording import Words

TEMPLATE: Final = Path(__file__).parent / "pack.typ"
SCENES: Final = 14
AIMS: Final = 7
DUTIES: Final = 7
_LONGEST: Final = 46
_LONGEST_WORD: Final = 22
_SOFT_HYPHEN: Final = "\u00ad"
_KNOWN: Final = (
    range(0x20, 0x7F),
    range(0xA0, 0x180),
    range(0x386, 0x387),
    range(0x388, 0x38B),
    range(0x391, 0x3A2),
    range(0x3A3, 0x3CF),
    range(0x400, 0x460),
)
_SIGNS: Final = frozenset("–—\u2018\u2019“”„•…€\u2212≥≤\u202f")
"""What the typesetter's own font has besides; a glyph that is missing would leave a hole that nobody can read out."""
Rows = list[dict[str, object]]


def typeset(said: dict[str, object], ends: int) -> bytes:
    """Return the PDF of what is said in a week that ends at a time."""
    return typst.compile(
        str(TEMPLATE),
        root=str(TEMPLATE.parent),
        output=None,
        format="pdf",
        pdf_standards=["ua-1"],
        timestamp=ends,
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(said, ensure_ascii=False, sort_keys=True)},
    )


def printable(text: str, longest: int = _LONGEST) -> str:
    """Return a text as the page can set it: in characters that the font has, and no longer than it has room for."""
    plain = unicodedata.normalize("NFC", " ".join(text.split())).replace(_SOFT_HYPHEN, "")
    known = "".join(one if one in _SIGNS or any(ord(one) in few for few in _KNOWN) else "?" for one in plain)
    short = known if len(known) <= longest else f"{known[: longest - 1].rstrip()}…"
    # A word without end would push its table off the page.
    return " ".join(word if len(word) <= _LONGEST_WORD else " ".join(_cut(word)) for word in short.split(" "))


def _cut(word: str) -> Iterable[str]:
    return (word[at : at + _LONGEST_WORD] for at in range(0, len(word), _LONGEST_WORD))


def figure(one: Figure, words: Words) -> str:
    """Return what stands for a figure of the others, as on the pages."""
    if one.state == "shown":
        return words.number(one.value)
    if one.state == "part" and not one.value:
        return words.text(mark("hidden"))
    if one.state == "part":
        return f"≥ {words.number(one.value)}"
    if one.state == "hidden":
        return f"<{one.k}"
    return words.text(mark("not published")) if one.state == "waiting" else "–"


def said(contents: Contents, words: Words) -> dict[str, object]:
    """Return everything that the document says."""
    text, agency = words.text, printable(words.label(contents.agency))
    week = words.week(contents.week)
    heading = text(mark("The week for the Monday meeting"))
    partnership = printable(contents.partnership, 60)
    return {
        "lang": words.lang,
        "title": f"{heading}, {week}",
        "author": partnership,
        "heading": heading,
        "under": f"{partnership} – {agency} – {week}",
        "footer": f"Sluss – {agency} – {week}",
        "lead": _lead(contents.pulse, agency, words),
        "kinds": _kinds(contents, agency, words),
        "scenes": _scenes(contents, agency, words),
        "aims": _aims(contents.objectives.aims, words),
        "duties": _duties(contents, words),
        "note": text(
            mark(
                "The own agency's numbers are exact. Those of the others are as published, rounded to {to}. One that "
                "is hidden stands as less than the least number that is shown: it is smaller, or it would give another "
                "small one or a single report away. “≥” is a sum of which a part is hidden, “hidden” one of which "
                "every part is; “–” is what nobody else files. Made of coded facts alone: what people wrote is sealed."
            )
        ).format(to=contents.round_to),
    }


def _lead(pulse: Pulse, agency: str, words: Words) -> list[str]:
    usual, text = pulse.total_usual, words.text
    filed = text(mark("Reports of {agency}: {total}.")).format(agency=agency, total=words.number(pulse.total))
    compared = text(mark("There is no week before it to compare with."))
    if usual is not None:
        compared = text(mark("Median of the weeks before ({weeks}): {median}; they had {low} to {high}.")).format(
            weeks=pulse.before,
            median=words.number(usual.median),
            low=words.number(usual.low),
            high=words.number(usual.high),
        )
    lines = [f"{filed} {compared}"]
    if pulse.open:
        lines.append(text(mark("The week is not over: a number below the usual range says nothing yet.")))
    unusual = [printable(words.label(row.kind)) for row in pulse.unusual]
    if unusual:
        named = text(mark("Outside of their usual range: {kinds}.")).format(kinds=", ".join(unusual))
        lines.append(printable(named, 600))
    return lines


def _kinds(contents: Contents, agency: str, words: Words) -> dict[str, object]:
    text, pulse = words.text, contents.pulse
    most = max((row.own or 0 for row in pulse.rows), default=0)
    body: Rows = []
    for row in pulse.rows:
        usual = "–" if row.usual is None else f"{words.number(row.usual.low)}–{words.number(row.usual.high)}"
        middle = "–" if row.usual is None else words.number(row.usual.median)
        own = "–" if row.own is None else words.number(row.own)
        cells = [printable(words.label(row.kind)), own, middle, usual, figure(row.others, words)]
        body.append({"cells": cells, "share": _share(row.own or 0, most)})
    body.append({"cells": [text(mark("All kinds")), words.number(pulse.total), "", "", ""], "share": 0})
    head = [
        text(mark("Kind")),
        printable(agency, 24),
        text(mark("Median")),
        text(mark("Usual range")),
        text(mark("Others, as published")),
        text(mark("As bars")),
    ]
    return {"title": text(mark("Reports by kind")), "head": head, "body": body}


def _scenes(contents: Contents, agency: str, words: Words) -> dict[str, object]:
    text = words.text
    # Those of which most is known; of several the first by number, so that the order is always the same.
    every = sorted(contents.scenes, key=lambda one: (-one.known, one.scene.number))
    kept, left = every[:SCENES], every[SCENES:]
    most = max((one.own for one in kept), default=0)
    more = text(mark("{number} more scenes stand in the CSV file.")).format(number=words.number(len(left)))
    return {
        "title": text(mark("Reports by scene")),
        "head": [
            text(mark("Scene")),
            printable(agency, 24),
            text(mark("Others, as published")),
            text(mark("As bars")),
        ],
        "body": [_scene(one, most, words) for one in kept],
        "more": more if left else "",
    }


def _scene(one: Zone, most: int, words: Words) -> dict[str, object]:
    cells = [printable(words.label(one.scene)), words.number(one.own), figure(one.others, words)]
    return {"cells": cells, "share": _share(one.own, most)}


def _aims(aims: Sequence[Aim], words: Words) -> dict[str, object]:
    text = words.text
    more = text(mark("{number} more objectives stand in the overview.")).format(number=words.number(len(aims) - AIMS))
    return {
        "title": text(mark("Objectives")),
        "head": [text(one) for one in _AIM_HEAD],
        "body": [{"cells": _aim(one, words), "share": 0} for one in aims[:AIMS]],
        "none": text(mark("No objective is stated.")),
        "more": more if len(aims) > AIMS else "",
    }


_AIM_HEAD: Final = (
    mark("Objective"),
    mark("Owner"),
    mark("Target"),
    mark("Value"),
    mark("Until"),
    mark("How it stands"),
)


def _aim(one: Aim, words: Words) -> list[str]:
    sign = "≥" if one.terms.direction == "at_least" else "≤"
    if one.value.known is None:
        value = "–"
    else:
        value = words.number(one.value.known) if one.value.whole else f"≥ {words.number(one.value.known)}"
    return [
        printable(one.terms.title),
        printable(words.label(one.owner), 24),
        f"{sign} {words.number(one.terms.target)}",
        value,
        date_of(one.terms.until).isoformat(),
        words.text(one.standing_text),
    ]


def _duties(contents: Contents, words: Words) -> dict[str, object]:
    text = words.text
    if contents.duties is None:
        rows: Sequence[Duty] = ()
        title = text(mark("Duties of the own agency"))
        none = text(mark("Duties are as of today: the pack of the last whole week has them."))
    else:
        rows = contents.duties.rows
        title = text(mark("Duties of the own agency on {date}")).format(date=words.date(contents.today))
        none = text(mark("No duty is open."))
    more = text(mark("{number} more kinds of duties stand in the overview."))
    return {
        "title": title,
        "head": [
            text(mark("Duty")),
            text(mark("Overdue")),
            text(mark("Due in a week")),
            text(mark("Later")),
            text(mark("Done lately")),
        ],
        "body": [
            {
                "cells": [
                    printable(words.label(one.gateway) if one.gateway else text(one.said) if one.said else one.code),
                    *(words.number(number) for number in (one.overdue, one.soon, one.later, one.done)),
                ],
                "share": 0,
            }
            for one in rows[:DUTIES]
        ],
        "none": none,
        "more": more.format(number=words.number(len(rows) - DUTIES)) if len(rows) > DUTIES else "",
    }


def _share(number: int, most: int) -> float:
    return round(number / most, 4) if most else 0
