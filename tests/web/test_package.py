"""What comes with the server for pages: vendored files as they were, and nothing that is carried too early."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import ROOT

VENDORED: Final = (
    ROOT / "server" / "src" / "sluss_server" / "web" / "static" / "vendor",
    ROOT / "tests" / "web" / "vendor",
)


@pytest.mark.parametrize("folder", VENDORED, ids=["pages", "tests"])
def test_what_is_vendored_is_what_its_page_says(folder: Path) -> None:
    rows = re.findall(r"^\| ([\w.-]+) \| .+ \| ([0-9a-f]{64}) \|$", (folder / "README.md").read_text(), re.MULTILINE)

    assert dict(rows) == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "README.md"
    }


def test_a_server_that_nobody_looks_at_carries_no_templates_no_languages_and_no_typesetter() -> None:
    heavy = ("jinja2", "babel", "vl_convert", "typst")
    say = f"import sys, sluss_server.app; print([name for name in {heavy} if name in sys.modules])"

    assert subprocess.check_output([sys.executable, "-c", say], text=True).strip() == "[]"
