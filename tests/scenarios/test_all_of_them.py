"""Every conflict of B7 and every scenario of the acceptance list has a test of its own, by its number."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
CONFLICTS: Final = 30
SCENARIOS: Final = 25


def test_each_of_the_thirty_conflicts_has_a_test_that_says_what_must_hold() -> None:
    found = set[int]()
    for file in HERE.glob("test_conflicts*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and node.name.startswith("test_"):
                _, number, said = node.name.split("_", 2)
                assert number.isdecimal(), f"{file.name}: {node.name} names no conflict"
                assert said
                found.add(int(number))
    assert found == set(range(1, CONFLICTS + 1))


def test_each_of_the_scenarios_is_a_file_with_tests() -> None:
    for number in range(1, SCENARIOS + 1):
        file = HERE / f"test_s{number:02}.py"
        assert file.exists(), file.name
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert (ast.get_docstring(tree) or "").startswith(f"S{number:02}: "), file.name
        assert any(isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_") for node in tree.body)
