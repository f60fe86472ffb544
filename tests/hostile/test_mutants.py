"""Each check of `mutants.py` taken out of a copy of the client: the tests of attacks notice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.hostile.mutants import MUTANTS, Mutant

PACKAGES = ("client_sdk/src/sluss_client", "schemas/src/sluss_schemas")
NAMES = [mutant.name for mutant in MUTANTS]


def run(folder: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """Run tests of this folder with the packages of another folder before the installed ones."""
    first = os.pathsep.join(str(folder / Path(package).parent) for package in PACKAGES)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(f"tests/hostile/{test}" for test in tests)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": first, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def copied(folder: Path) -> Path:
    """Copy both packages, whose server is the one under test."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("mutant", MUTANTS, ids=NAMES)
def test_a_check_stands_where_it_is_taken_out(mutant: Mutant) -> None:
    text = mutant.path.read_text(encoding="utf-8")

    assert text.count(mutant.source) == 1
    compile(text.replace(mutant.source, mutant.instead), str(mutant.path), "exec")


def test_every_mutant_has_a_name_and_tests() -> None:
    assert len(set(NAMES)) == len(MUTANTS) > 20
    for mutant in MUTANTS:
        for test in mutant.tests:
            file, _, name = test.partition("::")
            assert f"def {name.partition('[')[0]}(" in (ROOT / "tests/hostile" / file).read_text(encoding="utf-8")


@pytest.mark.soak
def test_with_nothing_taken_out_they_pass(tmp_path: Path) -> None:
    every = sorted({test for mutant in MUTANTS for test in mutant.tests})

    done = run(copied(tmp_path), *every)

    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{len(every)} passed" in done.stdout or "100%" in done.stdout


@pytest.mark.soak
@pytest.mark.parametrize("mutant", MUTANTS, ids=NAMES)
def test_a_check_taken_out_fails_a_test(mutant: Mutant, tmp_path: Path) -> None:
    folder = copied(tmp_path)
    changed = folder / mutant.module
    changed.write_text(mutant.path.read_text(encoding="utf-8").replace(mutant.source, mutant.instead), encoding="utf-8")

    done = run(folder, *mutant.tests)

    # 1: tests ran and some failed. Anything else is a mutant that does not run, or a test that was not found.
    assert done.returncode == 1, done.stdout[-3000:]
    assert " error" not in done.stdout.splitlines()[-1]
