"""How the protocol's page writes a type: from the struct's own declaration, in a few plain words."""

from __future__ import annotations

import types
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

import sluss_client.sections
from sluss_schemas import directory, disclosure, invitation, manifest, membership, records, statements, sync, terms

MODULES: Final = (
    directory,
    terms,
    manifest,
    disclosure,
    records,
    statements,
    sync,
    membership,
    invitation,
    sluss_client.sections,
)
Struct = type[msgspec.Struct]
_PLAIN: Final = {int: "int", bytes: "bytes", str: "text", bool: "bool", type(None): "nil", msgspec.Raw: "value"}
_NAMED: Final = {
    (0, 0xFF): "u8",
    (0, 0xFFFF): "u16",
    (0, 0xFFFF_FFFF): "u32",
    (0, 2**63 - 1): "u63",
    (0, 253_402_300_799): "time",
}


def structs() -> Iterator[tuple[str, Struct]]:
    """Yield every structure with the name that the page gives it."""
    found = [
        (module.__name__.rsplit(".", 1)[-1], value)
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, msgspec.Struct) and value.__module__ == module.__name__
    ]
    names = [value.__name__ for _, value in found]
    for module_name, value in found:
        if value.__struct_fields__:
            name = value.__name__
            yield (f"{module_name}.{name}" if names.count(name) > 1 else name), value


def rows(struct: Struct) -> list[tuple[str, str]]:
    """Return the fields of a structure in the order of the wire, each with its type; a tag comes first."""
    hints = get_type_hints(struct, include_extras=True)
    tag = struct.__struct_config__.tag
    fields = [(name, written(hints[name])) for name in struct.__struct_fields__]
    return fields if tag is None else [("tag", f'"{tag}"'), *fields]


def written(hint: Any) -> str:  # noqa: ANN401  # a type
    """Return a type as the page writes it."""
    bounds: dict[str, Any] = {}
    if hasattr(hint, "__metadata__"):
        for meta in hint.__metadata__:
            if isinstance(meta, Meta):
                names = ("ge", "lt", "le", "min_length", "max_length", "pattern")
                bounds |= {name: value for name in names if (value := getattr(meta, name)) is not None}
        hint = get_args(hint)[0]
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(written(each) for each in inner)
    if origin is Literal:
        return "one of " + ", ".join(str(each) for each in inner)
    if origin is tuple:
        if inner[1:] == (Ellipsis,):
            return f"array{_range(bounds)} of {written(inner[0])}"
        return "[" + ", ".join(written(each) for each in inner) + "]"
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return f"one of `{hint.__name__}`"
    if hint not in _PLAIN:
        return f"`{hint.__name__}`"
    found = _range(bounds)
    return found if found in _NAMED.values() else _PLAIN[hint] + found


def _range(bounds: dict[str, Any]) -> str:
    if "pattern" in bounds:
        return " of a slug's form"
    least = bounds.get("ge", bounds.get("min_length"))
    most = bounds["lt"] - 1 if "lt" in bounds else bounds.get("le", bounds.get("max_length"))
    if least is None and most is None:
        return ""
    if isinstance(least, int) and isinstance(most, int) and (least, most) in _NAMED:
        return _NAMED[least, most]
    if least == most:
        return f" {most}"
    return f" {least or 0} to {'any' if most is None else most}"
