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


def test_what_another_pack_would_change_is_told_by_who_gains_and_who_loses(tmp_path: Path) -> None:
    found = json.loads(_run("simulate", "SE-2025-12-01", "SE-2026-01-15", "--json").stdout)
    assert (found["old"], found["new"]) == ("SE-2025-12-01", "SE-2026-01-15")
    (concern,) = [one for one in found["changes"] if (one["kind"], one["compartment"]) == ("K07", "SUB")]
    assert "a new duty to tell: L11 (report of concern about a child)" in concern["en"]
    assert [one["name"] for one in found["conditions"]] == ["L11", "L19"]

    file = tmp_path / "mine.toml"
    file.write_bytes(edited({"K01.SEC.SIT.POL": "D", "K02.SEC.SIT.POL": "D"}))
    lines = _run("simulate", "SE-2026-01-15", str(file), "--lang", "sv").stdout.splitlines()
    assert lines[:3] == [
        "Skulle få mindre:",
        "  Polisen, läget, av det som skrivs av: Ordningsvakter. av sig självt i sin helhet, sedan inget.",
        "    i K01 Ordningsstörning / våld / hot, K02 Iakttagelse av narkotikahandel",
    ]
    assert _run("simulate", str(file), "SE-2026-01-15").stdout.startswith("Would gain:\n  The police, the situation")
    assert _run("simulate", str(file), str(file)).stdout == "Nobody would gain or lose anything.\n"
    assert "no such pack" in _run("simulate", "SE-2026-01-15", "SE-1999-01-01").stderr


def test_the_difference_of_two_packs_is_a_table_with_their_grounds_and_numbers() -> None:
    rows = json.loads(_run("diff", "SE-2024-01-01", "SE-2025-04-01", "--json").stdout)
    named = {row["what"]: (row["before"], row["after"]) for row in rows}
    assert named["K12.MUN.SUB.POL"] == ("B:L08,L10", "T:L12")
    assert named["min_penalty_months"] == ("12", "6")
    assert (named["L12"], "Concrete circumstances" in named["L03.tests"][1]) == (("", "L12"), True)
    assert _run("diff", "SE-2024-01-01", "SE-2025-04-01").stdout.splitlines()[0] == "what,before,after"
    assert json.loads(_run("diff", "SE-2026-01-15", "SE-2026-01-15", "--json").stdout) == []


def test_a_cell_is_explained_in_both_languages_by_the_pack_that_is_asked() -> None:
    found = json.loads(_run("explain", "K05.SOC.SUB.POL", "--json").stdout)
    assert (found["pack"], found["code"][:2], found["law"][0]) == ("SE-2026-01-15", "B:", "OSL 26:1")
    told = _run("explain", "k07.sec.sub.soc", "--pack", "SE-2025-12-01", "--lang", "sv").stdout
    assert "Ett beslut kan öppna: oro för barn som var och en bör anmäla" in told
    assert "has no cell" in _run("explain", "K99.SOC.SUB.POL").stderr


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(pack, arguments)
