"""The page that people read is the pack that the program runs."""

from __future__ import annotations

from pathlib import Path

from sluss_schemas.policy.pack import builtin
from sluss_schemas.policy.page import markdown


def test_the_page_is_what_the_pack_says(repository: Path) -> None:
    assert (repository / "docs" / "secrecy-rules.md").read_text(encoding="utf-8") == markdown(builtin()[-1])


def test_every_override_of_the_pack_stands_on_the_page() -> None:
    pack = builtin()[-1]
    page = markdown(pack)
    for (_, owner, compartment, column), cell in pack.cells.items():
        base = pack.base[owner, compartment, column]
        assert cell.code == base.code or f"{column} `{cell.code}`" in page
