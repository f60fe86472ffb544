"""Every workload runs to its end on the smallest sizes; what it measures there means nothing and is not looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.soak
def test_every_workload_prints_a_row_with_its_limit(repository: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--tiny"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-2000:]
    for name in ("P1", "P2", "P3", "P4", "P5", "P7", "P8", "P10", "P11", "P13"):
        assert f"| {name} |" in done.stdout, name
