"""docs/protocol.md and the code say the same: every structure, label, number and bound."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from sluss_schemas import directory, disclosure, manifest, sync
from sluss_schemas.directory import BODIES, EntryKind
from sluss_schemas.ids import COMPARTMENTS
from sluss_schemas.records import RULES, CaseKind
from sluss_schemas.sync import Op, OutcomeCode
from sluss_server.services import rationing

from tests.conftest import ROOT
from tests.wire import shapes

PAGE: Final = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
STRUCTS: Final = dict(shapes.structs())
_OWN_STORE: Final = "sluss/store/"
"""Labels of the device's own file, which no other party ever sees."""


def section(heading: str) -> str:
    """Return what stands under a heading, up to the next one of any level."""
    found = re.search(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##+ |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    return found[1]


def cells(text: str) -> list[list[str]]:
    """Return the rows of the tables in a text, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    heads = {number for number, row in enumerate(split) if set(row[0]) == {"-"}}
    return [row for number, row in enumerate(split) if number not in heads and number + 1 not in heads]


@pytest.mark.parametrize("name", STRUCTS)
def test_every_structure_stands_in_the_page_with_its_fields_in_order_their_types_and_bounds(name: str) -> None:
    written = [(row[0].strip("`"), row[1]) for row in cells(section(f"`{name}`")) if len(row) == 3]

    assert written == shapes.rows(STRUCTS[name])


def test_no_structure_stands_in_the_page_that_is_not_in_the_code() -> None:
    assert sorted(re.findall(r"^##+ `([\w.]+)`$", PAGE, flags=re.MULTILINE)) == sorted(STRUCTS)


@pytest.mark.parametrize("name", STRUCTS)
def test_a_structure_is_called_an_envelope_exactly_where_it_takes_what_it_does_not_know(name: str) -> None:
    struct = STRUCTS[name]

    assert struct.__struct_config__.array_like
    assert section(f"`{name}`").lstrip().startswith("*Envelope.*") is not struct.__struct_config__.forbid_unknown_fields


@pytest.mark.parametrize("name", STRUCTS)
def test_a_field_may_be_left_out_exactly_where_the_page_says_so(name: str) -> None:
    struct = STRUCTS[name]
    if struct.__struct_config__.forbid_unknown_fields:
        # Its encoding has every field, whatever the struct's default for callers is.
        return
    told = {row[0].strip("`") for row in cells(section(f"`{name}`")) if "may be left out" in row[-1]}
    asked = {"Pull", "Push", "DirectoryPull", "DirectoryAppend", "KeysPull", "KeysOffer"}
    optional = struct.__struct_fields__[len(struct.__struct_fields__) - len(struct.__struct_defaults__) :]

    # An answer's default serves whoever makes one; it is always sent whole.
    assert told == (set(optional) if name in asked else set())


def test_every_kind_of_case_record_stands_in_the_page_with_its_rule() -> None:
    table = {row[0].strip("`"): row[2:] for row in cells(section("`Case`")) if len(row) == 6}

    assert list(table) == [str(kind) for kind in CaseKind]
    for kind, rule in RULES.items():
        own = {("supervisors",): "own supervisors", (): "nobody"}.get(rule.to, "own")
        to = f"{own}, others" if rule.across else own
        assert table[kind] == [", ".join(rule.files), to, ", ".join(rule.follows), ", ".join(rule.codes)]


def test_every_kind_of_entry_stands_in_the_page_with_its_number_and_its_body() -> None:
    table = [row for row in cells(section("Following a chain")) if len(row) == 4]

    assert [(int(row[0]), row[1].strip("`"), row[2].strip("`")) for row in table] == [
        (int(kind), kind.name, BODIES[kind].__name__) for kind in EntryKind
    ]


def test_every_outcome_and_every_operation_stands_in_the_page() -> None:
    outcomes = {row[0].strip("`") for row in cells(section("`Outcome`")) if len(row) == 2}
    operations = {row[0].strip("`") for row in cells(section("`sync.Entry`")) if len(row) == 2}

    assert outcomes == {str(code) for code in OutcomeCode}
    assert operations == {str(op) for op in Op}


def labels(*roots: Path) -> set[str]:
    """Return every label of the protocol in the sources."""
    texts = (path.read_text(encoding="utf-8") for root in roots for path in root.rglob("*.py"))
    return {label for text in texts for label in re.findall(r'b"(sluss/[a-z/]+)"', text)}


def test_every_label_in_the_code_stands_in_the_page_and_the_other_way_round() -> None:
    used = labels(ROOT / "schemas" / "src", ROOT / "client_sdk" / "src", ROOT / "server" / "src")

    assert set(re.findall(r'"(sluss/[a-z/]+)"', PAGE)) == {one for one in used if not one.startswith(_OWN_STORE)}


def test_every_label_of_the_page_is_used_by_the_second_implementation_or_seals_to_supervisors_alone() -> None:
    written = labels(ROOT / "tests" / "vectors") | {"sluss/decider", "sluss/reason", "sluss/reasons", "sluss/rescue"}
    # Files that pass between two people, and never a server.
    written |= {"sluss/audit/note", "sluss/audit/seal"}

    assert set(re.findall(r'"(sluss/[a-z/]+)"', PAGE)) <= written


@pytest.mark.parametrize(
    ("sentence", "value"),
    [
        ("What the group signs; at most {} KiB.", 64),
        ("receivers are added to one version; at most {} KiB.", 8),
        ("Up to {} items, grants and records and 1 MiB together", sync.MAX_PUSH_ITEMS),
        ("items, grants and records and {} MiB together", sync.MAX_PUSH_BYTES // 2**20),
        ("`limit` is 1 to {}, `wait`", sync.MAX_PAGE_ENTRIES),
        ("`wait` 0 to {} seconds", sync.MAX_WAIT_S),
        ("Up to {} entries or 1 MiB over all pages", sync.MAX_PAGE_ENTRIES),
        ("`created` within {} seconds", sync.MAX_CLOCK_SKEW_S),
        ("format {}, suite 2, order of recipients", manifest.FORMAT),
        ("format 1, suite {}, order of recipients", manifest.SUITE),
        ("generation of the section arrays: {} |", manifest.SCHEMA),
        ("over the raw 32 bytes of an Ed25519 key or the raw {:,} bytes of a KEM key", directory.KEM_PUBLIC_BYTES),
        ("the entry of the epoch in force is {} days old", directory.EPOCH_S // 86_400),
        ("over the {} bytes of the share", directory.SHARE_BYTES),
        ("shared among {} custodians", {3: "three"}[directory.CUSTODIANS]),
        ("`past` has up to {} receipts", sync.MAX_PUSH_ITEMS),
        ("is rationed to {} things at once", rationing.AT_ONCE),
        ("things at once and {} an hour", rationing.AN_HOUR),
        ("a ground of the pack, or `{}` for a release", disclosure.BASE_RELEASE),
        ("the compartments in their order are {} |", ", ".join(COMPARTMENTS)),
    ],
)
def test_the_numbers_of_the_page_are_the_codes(sentence: str, value: object) -> None:
    assert sentence.format(value) in PAGE


NO_ALARMS: Final = {
    # a sentence to the user, a refusal of the caller's own act, or a state and no fault
    "directory_ahead", "directory_conflict", "kept_out", "not_allowed", "out_of_range", "pack_refused", "server_error",
    "too_long", "waiting_for_approval",
}  # fmt: skip


def codes(module: str) -> set[str]:
    """Return the codes that a module of the client names."""
    (path,) = (ROOT / "client_sdk" / "src" / "sluss_client").rglob(f"{module}.py")
    text = path.read_text(encoding="utf-8")
    return set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', re.sub(r'""".*?"""', "", text, flags=re.DOTALL)))


@pytest.mark.parametrize(
    "module", ["reading", "noticing", "pulling", "notes", "trust", "keyshare", "rotation", "roster", "transport"]
)
def test_every_alarm_of_a_device_stands_in_the_page(module: str) -> None:
    raised = codes(module) - NO_ALARMS
    told = section("What a reader checks of a delivery") if module == "reading" else PAGE

    assert raised
    assert {code for code in raised if f"`{code}`" not in told} == set()


def test_invariants_stand_in_block_quotes_and_the_page_says_what_is_not_guaranteed() -> None:
    assert len(re.findall(r"^> ", PAGE, flags=re.MULTILINE)) >= 10
    assert "MUST" in PAGE
    assert section("8. What is not guaranteed").count("\n* ") >= 8
