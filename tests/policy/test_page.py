"""The page that people read is the pack that the program runs."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from sluss_schemas.ids import kind_code
from sluss_schemas.policy.pack import builtin, sketches
from sluss_schemas.policy.page import markdown


def test_the_page_is_what_the_pack_says(repository: Path) -> None:
    assert (repository / "docs" / "secrecy-rules.md").read_text(encoding="utf-8") == markdown(builtin(), sketches())


def test_every_override_of_the_pack_stands_on_the_page() -> None:
    pack = builtin()[-1]
    page = markdown([pack])
    for (_, owner, compartment, column), cell in pack.cells.items():
        base = pack.base[owner, compartment, column]
        assert cell.code == base.code or f"{column} `{cell.code}`" in page


def test_every_cell_that_an_older_pack_decides_otherwise_stands_on_the_page() -> None:
    page = markdown(builtin(), sketches()).split("## Earlier packs")[1]
    for old, new in pairwise(builtin()):
        part = page.split(f"### `{old.id}`")[1].split("\n### ")[0]
        for key, cell in old.cells.items():
            if cell.code != new.cells[key].code:
                assert any(
                    all(each in line for each in (kind_code(key[0]), ".".join(key[1:]), f"`{cell.code}`", cell.why))
                    for line in part.splitlines()
                )


def test_what_a_ground_asks_for_stands_on_the_page() -> None:
    page = markdown(builtin())
    for gateway in builtin()[-1].gateways.values():
        for test in gateway.tests:
            assert test.en.rstrip(".") + (" *(in writing)*" if test.written else "") in page
