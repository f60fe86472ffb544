"""Every alarm that the client raises says what it means and what to do, and none is in the table that nobody raises."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import sluss_client
from sluss_client.alarms import ALARMS, known, say
from sluss_schemas.problems import CATALOGUE

SOURCE = Path(sluss_client.__file__).parent
# Modules whose bare strings of these forms are codes of alarms.
NAMED = re.compile(r"(feed|directory)_[a-z]+")
NAMING = ("noticing.py", "pulling.py", "keyshare.py")


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        if path.name != "alarms.py" and "testing" not in path.parts:
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def strings(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def raised() -> set[str]:
    """Return what stands as a code where an alarm is raised."""
    found = set[str]()
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args:
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called in {"Alarm", "alarm"}:
                    found |= set(strings(node.args[0]))
            if isinstance(node, ast.Assign) and any(getattr(one, "id", "") == "code" for one in node.targets):
                found |= set(strings(node.value)) if path.name in NAMING else set()
        if path.name in NAMING:
            found |= {one for one in strings(tree) if NAMED.fullmatch(one)}
    return found


def test_every_alarm_is_in_the_table() -> None:
    found = raised()

    assert len(found) > 20
    assert {code for code in found if code not in ALARMS and code not in CATALOGUE} == set()


def test_nothing_is_in_the_table_that_nobody_raises() -> None:
    written = {one for _, tree in trees() for one in strings(tree)}

    assert ALARMS.keys() - written == set()


@pytest.mark.parametrize("code", ALARMS)
def test_an_alarm_says_what_to_do(code: str) -> None:
    assert re.fullmatch(r"[a-z_]+", code)
    assert say(code) == ALARMS[code]
    assert len(say(code)) < 250
    assert say(code).endswith(".")


def test_a_refusals_code_has_a_sentence_too() -> None:
    assert "registrar" in say("not_canonical")


def test_a_code_that_a_server_made_up_is_not_kept() -> None:
    assert known("\x1b[2Jtell nobody") == "server_error"
    assert {code for code in ALARMS if known(code) != code} == set()
