"""The form of a directory's entries, written a second time from the tables of docs/protocol.md section 2 alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

Check = Callable[[Any], bool]
_YEAR_9999: Final = 253_402_300_799
_SECTORS: Final = ("POL", "SOC", "SEC", "MUN", "HLT")
_FUNCTIONS: Final = ("field", "supervisors", "reception")
_REASONS: Final = ("lost", "stolen", "left", "replaced")
_STATES: Final = ("candidate", "confirmed", "dormant", "closed")


def data(least: int, most: int | None = None) -> Check:
    """Return a check for a byte string of so many bytes."""
    return lambda value: isinstance(value, bytes) and least <= len(value) <= (least if most is None else most)


def number(least: int, most: int) -> Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def text(least: int, most: int) -> Check:
    return lambda value: isinstance(value, str) and least <= len(value) <= most


def one_of(*values: str) -> Check:
    return lambda value: isinstance(value, str) and value in values


def or_nil(check: Check) -> Check:
    return lambda value: value is None or check(value)


def many(least: int, most: int, check: Check) -> Check:
    return lambda value: isinstance(value, list) and least <= len(value) <= most and all(check(each) for each in value)


def fixed(*checks: Check) -> Check:
    """Return a check for an array of exactly these."""

    def check(value: Any) -> bool:  # noqa: ANN401  # whatever was decoded
        return isinstance(value, list) and len(value) == len(checks) and all(map(_ask, checks, value))

    return check


def _ask(check: Check, value: Any) -> bool:  # noqa: ANN401  # whatever was decoded
    return check(value)


def _slug(value: Any) -> bool:  # noqa: ANN401  # whatever was decoded
    return isinstance(value, str) and re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", value) is not None


def _flag(value: Any) -> bool:  # noqa: ANN401  # whatever was decoded
    return isinstance(value, bool)


ID: Final = data(16)
HASH: Final = data(32)
_KEM: Final = data(1216)
_LABEL: Final = text(1, 120)
TIME: Final = number(0, _YEAR_9999)
_U32: Final = number(0, 2**32 - 1)

_COMPARTMENTS: Final = ("SIT", "PLC", "SUB", "CAR", "ENF", "SAF", "AUT", "ATT")
_CELL: Final = fixed(number(1, 255), ID, one_of(*_COMPARTMENTS), ID, one_of("A", "R", "P", "G"))
TERMS: Final = fixed(
    ID,
    many(2, 16, ID),
    many(1, 400, _CELL),
    or_nil(many(1, 1024, number(0, 65_535))),
    text(1, 500),
    text(1, 120),
    TIME,
    TIME,
)
SIGNED: Final = fixed(data(0, 65_536), ID, data(64))
ENTRY: Final = fixed(number(0, 255), number(0, 2**63 - 1), HASH, number(0, 255), lambda _: True, TIME)
BODIES: Final[dict[str, Check]] = {
    "genesis": fixed(ID, _slug, one_of(*_SECTORS), _LABEL, _LABEL, _flag, HASH, HASH, HASH),
    "scene": fixed(number(1, 65_535), _slug, _LABEL, _LABEL, or_nil(text(0, 20_000)), one_of(*_STATES)),
    "root_rotate": fixed(HASH, HASH),
    "registrar_add": fixed(HASH),
    "registrar_remove": fixed(ID),
    "person_add": fixed(
        ID, text(1, 32), many(0, 3, one_of(*_FUNCTIONS)), or_nil(many(0, 1024, number(0, 65_535))), or_nil(TIME)
    ),
    "person_suspend": fixed(ID),
    "device_add": fixed(ID, ID, HASH, _KEM, data(64)),
    "device_revoke": fixed(ID, one_of(*_REASONS)),
    "audience_create": fixed(ID, one_of(*_FUNCTIONS)),
    "member_add": fixed(ID, ID, _U32),
    "member_remove": fixed(ID, ID),
    "epoch": fixed(ID, number(1, 2**32 - 1), number(0, 255), _KEM, HASH, HASH, many(1, 10_000, ID)),
    "shares": fixed(ID, _U32, many(3, 3, fixed(ID, HASH))),
    "pack": fixed(HASH, number(0, 65_535)),
    "peer": fixed(ID, HASH, text(0, 200), or_nil(TIME)),
    "instance": fixed(ID),
    "custodian_set": fixed(many(3, 3, ID)),
    "roster": fixed(HASH),
    "agreement": fixed(data(1, 32_768), ID, data(64)),
    "agreement_end": fixed(ID, one_of("suspended", "terminated", "resumed")),
}
