"""Random documents of every kind that is signed or decides who may read, made from the structs' own declarations."""

from __future__ import annotations

import types
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st
from msgspec import Meta

import sluss_client.sections
from sluss_schemas import directory, disclosure, invitation, manifest, membership, records, statements, sync, terms
from sluss_schemas.codec import Document

MODULES: Final = (
    manifest,
    disclosure,
    directory,
    terms,
    sync,
    membership,
    records,
    statements,
    invitation,
    sluss_client.sections,
)
Strategy = st.SearchStrategy[Any]


def documents() -> Iterator[type[Document]]:
    """Yield every struct that has one encoding and refuses what it does not know."""
    for module in MODULES:
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Document) and value.__module__ == module.__name__:
                yield value


def any_document() -> st.SearchStrategy[Document]:
    """Return documents of any kind, within their bounds."""
    return st.sampled_from(sorted(documents(), key=lambda one: one.__name__)).flatmap(values_of)


def values_of(document: type[Document]) -> Strategy:
    """Return documents of one kind, within their bounds."""
    hints = get_type_hints(document, include_extras=True)
    return st.builds(document, *(_values(hints[name]) for name in document.__struct_fields__))


def _values(hint: Any) -> Strategy:  # noqa: ANN401  # a type
    bounds: dict[str, Any] = {}
    if hasattr(hint, "__metadata__"):
        for meta in hint.__metadata__:
            if isinstance(meta, Meta):
                bounds |= {name: value for name in _BOUNDS if (value := getattr(meta, name)) is not None}
        hint = get_args(hint)[0]
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return st.one_of(*(_values(each) for each in inner))
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is tuple:
        return _tuple(inner, bounds)
    if isinstance(hint, type) and issubclass(hint, Document):
        return values_of(hint)
    return _plain(hint, bounds)


_BOUNDS: Final = ("ge", "lt", "le", "min_length", "max_length", "pattern")


def _tuple(inner: tuple[Any, ...], bounds: dict[str, Any]) -> Strategy:
    if len(inner) == 2 and inner[1] is Ellipsis:
        least = bounds.get("min_length", 0)
        most = min(bounds.get("max_length", 3), max(least, 2))
        return st.lists(_values(inner[0]), min_size=least, max_size=most).map(tuple)
    return st.tuples(*(_values(each) for each in inner))


def _plain(hint: Any, bounds: dict[str, Any]) -> Strategy:  # noqa: ANN401  # a type
    least = bounds.get("min_length", 0)
    size = {"min_size": least, "max_size": min(bounds.get("max_length", 40), max(least, 40))}
    if hint is int:
        top = bounds["lt"] - 1 if "lt" in bounds else bounds.get("le", 2**63 - 1)
        low = bounds.get("ge", -(2**63))
        return st.one_of(st.integers(low, top), st.sampled_from([low, top]))
    if hint is bytes:
        return st.binary(**size)
    if hint is str:
        return st.from_regex(bounds["pattern"], fullmatch=True) if "pattern" in bounds else st.text(**size)
    if hint is bool:
        return st.booleans()
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    if hint is type(None):
        return st.none()
    if hint is msgspec.Raw:
        return st.lists(st.integers(0, 300), max_size=3).map(lambda one: msgspec.Raw(msgspec.msgpack.encode(one)))
    raise TypeError(hint)
