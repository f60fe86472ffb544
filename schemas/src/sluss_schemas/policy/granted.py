"""Grants as they stand at a time: which are in force, and what the others were or will be, in words.

For: an explanation of today or of a past day, made from the grants that somebody knows.
Refuses: to lay on a past day what began after it, and to say of what is not known that it is not so.

> INVARIANT: a grant counts only for times between its beginning and its end, and its recall is its end.

Source: docs/secrecy-rules.md B4 and B7 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from sluss_schemas.ids import Compartment, bit
from sluss_schemas.policy.explain import COMPARTMENT_LABELS, Link, Told, Way, dated, local_time
from sluss_schemas.policy.model import Label, Pack
from sluss_schemas.policy.readers import Language

How = Literal["released", "recalled", "waiting", "proposed"]


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """One grant as somebody knows it.

    Attributes:
        code: its ground.
        slots: what it gives, as a bitmap.
        begins: from when, in Unix seconds.
        ends: until when at the latest, or when it was recalled; None where nothing ends it.
        how: `released`; `recalled` before its end; `waiting` to leave; `proposed` to whoever has to approve it.
        to: whom it is to, as people name them.

    """

    code: str
    slots: int
    begins: int
    ends: int | None
    how: How = "released"
    to: str = ""

    def gives(self, part: Compartment) -> bool:
        """Tell whether it gives anything of a part."""
        return bool(self.slots & (bit(part) | bit(part, brief=True)))

    def in_force(self, span: tuple[int, int]) -> bool:
        """Tell whether it is in force at any time of a span, both ends included."""
        if self.how in {"waiting", "proposed"}:
            return False
        return self.begins <= span[1] and (self.ends is None or self.ends > span[0])

    def tells(self, span: tuple[int, int]) -> bool:
        """Tell whether there is something to say of it at a time at which it opens nothing."""
        if self.how in {"waiting", "proposed"}:
            return self.begins <= span[1] and (self.ends is None or self.ends > span[0])
        return not self.in_force(span)

    def way(self) -> Way:
        """Return it as a way in which a report is held."""
        return Way(self.code, self.slots, self.ends, self.begins)


_WAS: Final = Label(
    "It was open from {begins} until {ends}: {name}.", "Det var öppet från {begins} till {ends}: {name}."
)
_RECALLED: Final = Label(
    "It was open from {begins} until {ends}, when it was recalled: {name}.",
    "Det var öppet från {begins} till {ends}, då det återkallades: {name}.",
)
_WILL: Final = Label("It opens {begins}: {name}.", "Det öppnas {begins}: {name}.")
_LATER: Final = Label(
    "Then it was not open yet; it has been since {begins}: {name}.",
    "Då var det inte öppet än; det öppnades {begins}: {name}.",
)
_WAITING: Final = Label(
    "A decision has been made and waits on this device for contact: {name}.",
    "Ett beslut är fattat och väntar på enheten på kontakt: {name}.",
)
_PROPOSED: Final = Label(
    "It is proposed, and this device does not know that it was released: {name}.",
    "Det är föreslaget, och enheten känner inte till att det har lämnats ut: {name}.",
)
_NAMED: Final = Label(
    "By a decision about one person it is open to {to}: {name}.",
    "Genom ett beslut om en enskild person är det öppet för {to}: {name}.",
)
_UNKNOWN: Final = Label(
    "This device knows of no decision that opens {what} for {who}. It does not know of decisions by others.",
    "Enheten känner inte till något beslut som öppnar {what} för {who}. Den känner inte till andras beslut.",
)
_FOREIGN: Final = Label(
    "What {owner} decided for {who} about {what}, this device does not know.",
    "Vad {owner} har beslutat för {who} om {what} känner enheten inte till.",
)
_BY_RULE: Final = Label("By rule, without a decision: {sentence}", "Enligt regeln, utan beslut: {sentence}")
_PAST: Final = Label(
    "Told for {day}, by the law of that day and by the decisions whose times this device knows. Who had which "
    "function then, what agreements opened that have ended since, and what this device has let go of since, it does "
    "not know.",
    "Svaret gäller {day}, enligt den dagens lag och de beslut vars tider enheten känner till. Vem som hade vilken "
    "funktion då, vad avtal som sedan har upphört öppnade och vad enheten sedan har släppt vet den inte.",
)
_NOT_HERE: Final = Label(
    "The report came to this device after that, {when}; what opens it now is not told of that day.",
    "Rapporten kom till enheten först efter det, {when}; det som öppnar den nu sägs inte om den dagen.",
)


def past(pack: Pack, day: str, came: int, span: tuple[int, int], lang: Language) -> list[str]:
    """Return what is to be said of an answer for a past day, and of a report that came after it."""
    said = [_text(_PAST, lang).format(day=day)]
    if came > span[1]:
        said.append(_text(_NOT_HERE, lang).format(when=local_time(pack, came)))
    return said


def with_others(  # noqa: PLR0917  # an answer, and what it is of
    told: Told, pack: Pack, others: Sequence[Granted], span: tuple[int, int], now: int, lang: Language
) -> Told:
    """Return an answer with the grants that do not open it at the time that is asked about, each in a sentence."""
    said = [_other(pack, one, span, now, lang) for one in others]
    return msgspec.structs.replace(
        told,
        sentences=(*told.sentences, *said),
        ended=tuple(_link(pack, one, lang) for one in others if one.how not in {"waiting", "proposed"}),
    )


def with_named(told: Told, pack: Pack, named: Sequence[Granted], lang: Language) -> Told:
    """Return an answer about a whole audience with the persons for whom somebody decided."""
    said = (_text(_NAMED, lang).format(to=one.to, name=_name(pack, one.code, lang)) for one in named)
    return msgspec.structs.replace(told, sentences=(*told.sentences, *said))


def not_known(told: Told, part: Compartment, who: str, owner: str, lang: Language) -> Told:
    """Return an answer that says first what is not known: decisions of others, or with `owner` those of an agency."""
    names = {"what": _text(COMPARTMENT_LABELS[part], lang), "who": who, "owner": owner}
    first = _text(_FOREIGN if owner else _UNKNOWN, lang).format(**names)
    rule = _text(_BY_RULE, lang).format(sentence=told.sentences[0])
    return msgspec.structs.replace(told, sentences=(first, rule, *told.sentences[1:]), known=False)


def _other(pack: Pack, one: Granted, span: tuple[int, int], now: int, lang: Language) -> str:
    if one.how in {"waiting", "proposed"}:
        label = _WAITING if one.how == "waiting" else _PROPOSED
    elif one.begins > span[1]:
        label = _WILL if one.begins > now else _LATER
    else:
        label = _RECALLED if one.how == "recalled" else _WAS
    times = {"begins": local_time(pack, one.begins), "ends": "" if one.ends is None else local_time(pack, one.ends)}
    return _text(label, lang).format(name=_name(pack, one.code, lang), **times)


def _link(pack: Pack, one: Granted, lang: Language) -> Link:
    gateway = pack.gateways.get(one.code)
    name = one.code if gateway is None else gateway.en if lang == "en" else gateway.sv
    return Link(one.code, name, () if gateway is None else gateway.law, one.ends, one.begins)


def _name(pack: Pack, code: str, lang: Language) -> str:
    """Return a ground by its name, its code and its statutes."""
    gateway = pack.gateways.get(code)
    if gateway is None:
        return code
    return f"{gateway.en if lang == 'en' else gateway.sv} ({code}; {'; '.join(dated(pack, gateway.law, lang))})"


def _text(label: Label, lang: Language) -> str:
    return label.en if lang == "en" else label.sv
