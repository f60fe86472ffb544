"""What two packs ask for otherwise: the grounds and the numbers that differ, in words.

A cell may stay as it is while the ground that opens it becomes easier or harder; `simulate` tells the cells, this the
rest.
Refuses: to weigh. A line says what was and what would be.

> INVARIANT: no line stands for what is the same in both packs, and every other ground and number has one.

Source: docs/secrecy-rules.md B4.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from sluss_schemas.policy.model import Label, Pack
from sluss_schemas.policy.readers import Language

_FIELDS: Final[dict[str, Label]] = {
    "decides": Label("who decides", "vem som beslutar"),
    "decides_case": Label("who decides one case", "vem som beslutar i ett ärende"),
    "owners": Label("whose reports it is about", "vems rapporter det gäller"),
    "receivers": Label("who may receive", "vem som får ta emot"),
    "receiver_function": Label("who there takes it in", "vem där som tar emot"),
    "receiver_authority": Label("only authorities receive", "bara myndigheter tar emot"),
    "tests": Label("what has to be affirmed", "vad som ska intygas"),
    "max_hours": Label("how many hours it lasts", "hur många timmar det gäller"),
    "duty": Label("whether it is a duty", "om det är en skyldighet"),
    "age": Label("the age limit", "åldersgränsen"),
    "approval": Label("who agrees besides", "vem som också godkänner"),
    "offence": Label("what crime it asks for", "vilket brott det kräver"),
    "chapters": Label("the chapters of such crimes", "sådana brotts kapitel"),
    "on_shift": Label("only for those on shift", "bara för dem som är i tjänst"),
}
_SILENT: Final = {"code", "en", "sv", "law", "status"}
"""A ground's name and citation are no condition."""
_NEW: Final = Label("a new ground", "en ny grund")
_GONE: Final = Label("the ground is gone", "grunden finns inte längre")


class Condition(msgspec.Struct, frozen=True):
    """A ground's condition, or a number of the pack, that would be another.

    Attributes:
        name: the ground's code, or the name of a parameter.
        field: which condition of the ground; empty for a number, and where the ground itself comes or goes.
        before: as it is; empty where there is none.
        after: as it would be; empty where there would be none.
        en: all of it in words.
        sv: the same in Swedish.

    """

    name: str
    field: str
    before: str
    after: str
    en: str
    sv: str


def conditions(old: Pack, new: Pack) -> Iterator[Condition]:
    """Yield what grounds and numbers ask for otherwise in `new`, the grounds first."""
    for code in sorted({*old.gateways, *new.gateways}):
        here, then = old.gateways.get(code), new.gateways.get(code)
        known = then or here
        if known is None:
            continue
        name = Label(f"{code} ({known.en})", f"{code} ({known.sv})")
        if here is None or then is None:
            what = _NEW if here is None else _GONE
            said = ("", code) if here is None else (code, "")
            yield Condition(code, "", *said, f"{name.en}: {what.en}.", f"{name.sv}: {what.sv}.")
            continue
        english, swedish = (
            (_values(msgspec.to_builtins(here), lang), _values(msgspec.to_builtins(then), lang)) for lang in _LANGUAGES
        )
        for field in english[0]:
            if english[0][field] != english[1][field]:
                label = _FIELDS.get(field, Label(field, field))
                yield Condition(
                    code,
                    field,
                    english[0][field],
                    english[1][field],
                    f"{name.en}: {label.en}: {english[0][field] or '-'}; then {english[1][field] or '-'}.",
                    f"{name.sv}: {label.sv}: {swedish[0][field] or '-'}; sedan {swedish[1][field] or '-'}.",
                )
    before, after = msgspec.to_builtins(old.parameters), msgspec.to_builtins(new.parameters)
    for field, value in before.items():
        if value != after[field]:
            was, then_ = _value(value, "en"), _value(after[field], "en")
            yield Condition(field, "", was, then_, f"{field}: {was}; then {then_}.", f"{field}: {was}; sedan {then_}.")


_LANGUAGES: Final[tuple[Language, ...]] = ("en", "sv")


def _values(gateway: dict[str, object], lang: Language) -> dict[str, str]:
    return {name: _value(value, lang) for name, value in gateway.items() if name not in _SILENT}


def _value(value: object, lang: Language) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return str(value.get(lang) or " ".join(f"{one}" for one in value.values())).rstrip(".")
    if isinstance(value, list | tuple):
        return "; ".join(_value(one, lang) for one in value)
    return str(value)
