"""No law stands in code: a jurisdiction's grounds, kinds, ages, thresholds, duty holders and statutes are pack data.

What is looked for, in every module of the three distributions:
  ground   a ground's or kind's code (`L14`, `K16`), wherever it stands: in code, in a docstring or in a comment, but
           for the line of a docstring that says where in the documentation its rule is from
  kind     a number of a kind other than in the form that is of that kind
  sector   a rule for some sectors: a comparison with one or its agency, or a collection of some and not of all
  number   a comparison or a constant that gives an age, a penalty or a small count its value
  statute  a statute by the abbreviation that any pack cites it by
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from typing import Final

import pytest

from sluss_schemas.ids import AGENCY_SLUGS, SECTORS
from sluss_schemas.policy import Parameters, builtin, sketches

from tests.architecture.sources import Source, product

CODE: Final = re.compile(r"\b[LK][0-9]{2}\b")
NAMED: Final = (frozenset(SECTORS), frozenset(AGENCY_SLUGS.values()))
KIND_NAME: Final = re.compile(r"(^|_)(kind|kind_number)$", re.IGNORECASE)
NUMBER_NAME: Final = re.compile(
    r"(^|_)(age|ages|youngest|oldest|penalty|adult|minor|child|k|k_sensitive|threshold)(_|$)", re.IGNORECASE
)

# What may stand there, by module and kind of find, with the reason. Nothing here decides anything.
ALLOWED: Final[dict[tuple[str, str], str]] = {
    ("sluss_schemas.policy.cells", "ground"): "examples of the notation that it reads",
    ("sluss_schemas.policy.cells", "statute"): "an example of how a cell cites",
    ("sluss_schemas.policy.layers", "ground"): "an example of the notation that it reads",
    ("sluss_schemas.policy.model", "ground"): "examples of how the packs name grounds and kinds",
    ("sluss_schemas.policy.pack", "ground"): "an example of a cell's name in a refusal",
    ("sluss_schemas.policy.invariants", "ground"): "an example of a cell's name in a violation",
    ("sluss_schemas.ids", "ground"): "an example of a kind's code, which it writes",
    ("sluss_schemas.policy.agreements", "ground"): "an example of a rule's name",
    ("sluss_schemas.policy.simulate", "ground"): "an example of a rule's name",
    ("sluss_client.agency.agreements", "ground"): "an example of what an agreement opens",
    ("sluss_client.agency.drafting", "ground"): "examples of how a draft names a kind",
    ("sluss_client.testing.town", "sector"): "a test town's own story: who founds it with which functions",
    ("sluss_client.disclosing.answers", "ground"): "an example of a ground's code",
    ("sluss_client.writing", "ground"): "an example of an answer to a duty",
    ("sluss_client.cli.filing", "ground"): "an example of an answer to a duty, in a command's help",
}


def finds(source: Source) -> Iterator[tuple[str, int, str]]:
    """Yield `(kind of find, line, what)`."""
    for number, line in enumerate(source.text.splitlines(), 1):
        if not line.startswith("Source: docs/"):
            yield from (("ground", number, found[0]) for found in CODE.finditer(line))
        yield from (("statute", number, found[0]) for found in _statutes().finditer(line))
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Compare):
            yield from _compared(node)
        elif isinstance(node, ast.Set | ast.List | ast.Tuple | ast.Dict):
            yield from _collected(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            yield from _assigned(node)


def unexplained(source: Source) -> list[str]:
    """Return the finds that nothing allows."""
    return [
        f"{source.module}:{line}: {kind} {what}"
        for kind, line, what in finds(source)
        if (source.module, kind) not in ALLOWED
    ]


def test_no_law_stands_in_code() -> None:
    assert [line for source in product() for line in unexplained(source)] == []


def test_what_is_allowed_is_still_there() -> None:
    # Else the list would grow stale, and hide the next find.
    found = {(source.module, kind) for source in product() for kind, _, _ in finds(source)}

    assert ALLOWED.keys() - found == set()


def test_every_parameter_of_a_pack_is_read_by_something() -> None:
    code = "\n".join(source.text for source in product() if source.module != "sluss_schemas.policy.model")
    grounds = [gateway for pack in builtin() for gateway in pack.gateways.values()]
    named = {gateway.age.parameter for gateway in grounds if gateway.age} | {gateway.least for gateway in grounds}
    read = {name for name in Parameters.__struct_fields__ if re.search(rf"\.{name}\b", code)} | named

    assert set(Parameters.__struct_fields__) - read == set()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('if code == "L11":\n    send()', "ground"),
        ("# as for K16\n", "ground"),
        ("if form.kind == 16:\n    pass", "kind"),
        ("if kind in {6, 16, 19}:\n    pass", "kind"),
        ('if sector == "SOC":\n    pass', "sector"),
        ('if owner not in {"POL", "SEC"}:\n    pass', "sector"),
        ('if agency == "social_services":\n    pass', "sector"),
        ('GUARDS = frozenset({"SEC"})', "sector"),
        ('RULE = {"SOC": 1, "HLT": 2}', "sector"),
        ("if person.age < 21:\n    pass", "number"),
        ("if 18 > youngest:\n    pass", "number"),
        ("CHILD_AGE = 18", "number"),
        ("min_penalty: int = 6", "number"),
        ('SAY = "OSL 26:1 says so"', "statute"),
        ('"""By straffeloven 196."""', "statute"),
    ],
)
def test_each_of_them_would_be_found(text: str, kind: str) -> None:
    assert kind in {found for found, _, _ in finds(Source.of(text, module="sluss_schemas.sample"))}


@pytest.mark.parametrize(
    "text",
    [
        'LABELS = {"POL": 1, "SOC": 2, "SEC": 3, "MUN": 4, "HLT": 5}',
        'Sector = Literal["POL", "SOC", "SEC", "MUN", "HLT"]',
        "if youngest < pack.parameters.child_age:\n    pass",
        "if owner in pack.filing.may_suspect:\n    pass",
        "class Form:\n    KIND: ClassVar[int] = 16",
    ],
)
def test_labels_data_and_a_forms_own_number_are_no_law(text: str) -> None:
    assert list(finds(Source.of(text, module="sluss_schemas.sample"))) == []


@cache
def _statutes() -> re.Pattern[str]:
    """Return what the packs cite, by the abbreviation before a number; common words need the number."""
    packs = (*builtin(), *sketches())
    cited = {law for pack in packs for cell in pack.cells.values() for law in cell.law}
    cited |= {law for pack in packs for gateway in pack.gateways.values() for law in gateway.law}
    words = sorted({re.escape(law.split()[0]) for law in cited if any(sign.isdigit() for sign in law)})
    return re.compile(rf"\b(?:{'|'.join(words)})\b(?:[ (]+[0-9]|\s[0-9]+:)")


def _compared(node: ast.Compare) -> Iterator[tuple[str, int, str]]:
    sides = [node.left, *node.comparators]
    names = [name for side in sides for name in _names(side)]
    numbers = [value for side in sides for value in _numbers(side)]
    if any(isinstance(side, ast.Constant) and any(side.value in names for names in NAMED) for side in sides):
        yield "sector", node.lineno, ast.unparse(node)
    if any(KIND_NAME.search(name) for name in names) and any(value > 0 for value in numbers):
        yield "kind", node.lineno, ast.unparse(node)
    if any(NUMBER_NAME.search(name) for name in names) and any(value > 1 for value in numbers):
        yield "number", node.lineno, ast.unparse(node)


def _collected(node: ast.Set | ast.List | ast.Tuple | ast.Dict) -> Iterator[tuple[str, int, str]]:
    parts = node.keys if isinstance(node, ast.Dict) else node.elts
    values = {part.value for part in parts if isinstance(part, ast.Constant)}
    # One agency's name is the name of a key of OpenAPI too, so tables are held to the sectors alone.
    if any(values & names and not names <= values for names in (NAMED[:1] if isinstance(node, ast.Dict) else NAMED)):
        yield "sector", node.lineno, ast.unparse(node)


def _assigned(node: ast.Assign | ast.AnnAssign) -> Iterator[tuple[str, int, str]]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    names = [name for target in targets for name in _names(target)]
    value = node.value
    if isinstance(value, ast.Constant) and type(value.value) is int and value.value > 1:
        yield from (("number", node.lineno, name) for name in names if NUMBER_NAME.search(name))


def _names(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Attribute):
        return [node.attr]
    return [node.id] if isinstance(node, ast.Name) else []


def _numbers(node: ast.expr) -> list[int]:
    parts = node.elts if isinstance(node, ast.Set | ast.List | ast.Tuple) else [node]
    return [part.value for part in parts if isinstance(part, ast.Constant) and type(part.value) is int]
