"""`sluss pack`: what is shipped, and whether a file that somebody wrote would hold."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from click.testing import CliRunner, Result

from sluss_schemas.policy import builtin, sketches
from sluss_schemas.policy.pack import shipped as file_named
from sluss_server.cli.packs import pack

from tests.policy.table import PACK_BYTES, edited


def test_every_shipped_pack_is_listed_and_passes_the_check(tmp_path: Path) -> None:
    listed = json.loads(_run("list", "--json").stdout)
    assert [(row["id"], row["digest"]) for row in listed] == [
        (one.id, one.digest.hex()) for one in (*builtin(), *sketches())
    ]
    for row in listed:
        file = tmp_path / f"{row['id']}.toml"
        file.write_bytes(file_named(file.name) or b"")
        done = _run("check", str(file), "--json")
        assert (done.exit_code, json.loads(done.stdout)) == (0, row)


def test_a_pack_that_breaks_a_bound_is_refused_by_its_cell_though_bounds_lie_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(edited({"K05.SOC.SIT.SEC": "R"}))
    bounds = (file_named("SE.jurisdiction.toml") or b"").split(b"[[within]]")[0]
    (tmp_path / "SE.jurisdiction.toml").write_bytes(bounds)
    done = _run("check", str(file))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("sluss: pack_refused: K05.SOC.SIT.SEC: I4")


def test_a_pack_may_lie_on_one_beside_it_and_is_held_to_a_floor(tmp_path: Path) -> None:
    below = PACK_BYTES.replace(b'id = "SE-2026-01-15"', b'id = "SE-9999-01-01"')
    (tmp_path / "SE-9999-01-01.toml").write_bytes(below)
    file = tmp_path / "agency.toml"
    head = (
        'id = "agency"\nextends = "SE-9999-01-01"\nvalid_from = 2027-01-01\n'
        f'extends_digest = "{hashlib.sha256(below).hexdigest()}"\n'
    )
    file.write_text(head + '[owner.POL.SIT]\ncells = { SOC = "R" }\n', encoding="utf-8")
    assert _run("check", str(file), "--floor", "SE-2026-01-15").exit_code == 0
    file.write_text(head + '[owner.SOC.PLC]\ncells = { POL = "R" }\n', encoding="utf-8")
    assert _run("check", str(file)).exit_code == 0
    assert "I8" in _run("check", str(file), "--floor", "SE-2026-01-15").stderr


def test_the_cells_of_an_older_pack_and_of_a_sketch_are_printed() -> None:
    for one in (builtin()[0], *sketches()):
        assert len(_run("cells", one.id).stdout.splitlines()) == len(one.cells) + 1


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(pack, arguments)
