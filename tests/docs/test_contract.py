"""The pages that could be wrong are compared with the code that they speak of."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

import sluss_client
from sluss_client import Device, Report, SyncResult
from sluss_client.cli import cli as device_commands
from sluss_schemas import membership, sync
from sluss_schemas.problems import CATALOGUE
from sluss_schemas.sync import OutcomeCode
from sluss_server import settings
from sluss_server.cli import cli as server_commands
from sluss_server.http import openapi
from sluss_server.http.endpoints import ENDPOINTS
from sluss_server.http.routes import PAGES


def page(repository: Path, name: str) -> str:
    return (repository / "docs" / name).read_text(encoding="utf-8")


def rows(text: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading."""
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return cells[2:]


def test_every_problem_code_stands_in_the_contract_with_its_status_and_its_advice(repository: Path) -> None:
    written = {
        cells[0].strip("`"): (int(cells[1]), cells[2])
        for cells in rows(page(repository, "contract.md"), "Problem codes")
    }
    assert written == CATALOGUE


def test_every_endpoint_stands_in_the_contract_and_nothing_else(repository: Path) -> None:
    written = {(cells[0], cells[1].strip("`")) for cells in rows(page(repository, "contract.md"), "Endpoints")}
    paths = openapi.document(ENDPOINTS, PAGES)["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert written == described


def test_every_outcome_stands_in_the_contract(repository: Path) -> None:
    written = {cells[0].strip("`") for cells in rows(page(repository, "contract.md"), "Outcomes of a push")}
    assert written == {str(code) for code in OutcomeCode}


def test_every_name_of_the_sdk_in_the_contract_exists_and_none_is_missing(repository: Path) -> None:
    text = page(repository, "contract.md")
    written: set[str] = set()
    for cells in rows(text, "The SDK"):
        if cells[1] != "-" or re.search("registrar|custody", cells[0]):
            written |= set(re.findall(r"[Dd]evice\.(\w+)", cells[0]))
    public = {name for name in dir(Device) if not name.startswith("_")}
    assert written == public
    listed = set(re.findall(r"`(\w+)`", text.split("`SyncResult`:", 1)[1].split("\n", 1)[0]))
    assert listed == set(SyncResult.__dataclass_fields__)
    for name in re.findall(r"`(\w+)(?:\(\w+\))?`", text.split("`Report`:", 1)[1].split("\n", 1)[0]):
        assert name in {*dir(Report), *Report.__init__.__annotations__, "id", "kind_number"}, name
    for name in sluss_client.__all__:
        assert f"`{name}`" in text or re.search(rf"\b{name}\b", text), name


def options(command: click.Command, path: str = "") -> Iterator[tuple[str, set[str]]]:
    """Yield each command that can be run, and its options besides those that all have."""
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from options(one, f"{path} {name}".strip())
    if not isinstance(command, click.Group) or command.invoke_without_command:
        known = {
            name for one in command.params if isinstance(one, click.Option) for name in [*one.opts, *one.secondary_opts]
        }
        yield path, {name for name in known if name.startswith("--")} - {"--json"}


@pytest.mark.parametrize(("program", "commands"), [("sluss", server_commands), ("sluss-device", device_commands)])
def test_the_tables_of_commands_are_those_that_there_are(
    repository: Path, program: str, commands: click.Command
) -> None:
    table = page(repository, "contract.md").split(f"\n### `{program}`\n", 1)[1].split("\n##", 1)[0]
    written: dict[str, set[str]] = {}
    for line in re.findall(r"^\| (`.*?`) \|", table, flags=re.MULTILINE):
        for one in re.findall(r"`([^`]+)`", line):
            words = one.removeprefix(f"{program} ").replace("\\|", " ").split()
            path = " ".join(itertools.takewhile(re.compile(r"[a-z][a-z-]*").fullmatch, words))
            written.setdefault(path, set()).update(re.findall(r"--[a-z-]+", one))
    there = dict(options(commands))
    assert written.keys() == there.keys()
    assert {path: names - {"--json"} for path, names in written.items()} == there


def test_the_settings_in_the_operating_page_are_the_servers(repository: Path) -> None:
    assert settings.table().strip() in page(repository, "operating.md")


def test_every_decision_is_listed_and_has_its_four_parts(repository: Path) -> None:
    folder = repository / "docs" / "decisions"
    listed = set(re.findall(r"\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8")))
    assert listed == {path.name for path in folder.glob("0*.md")}
    for name in listed:
        text = (folder / name).read_text(encoding="utf-8")
        for part in ("**Context.**", "**Decision.**", "**Consequences.**", "**Alternatives.**"):
            assert part in text, (name, part)


def test_every_link_between_the_pages_leads_somewhere(repository: Path) -> None:
    for path in [*repository.glob("*.md"), *repository.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), (path.name, target)


def test_the_readmes_session_is_python_that_compiles(repository: Path) -> None:
    text = (repository / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        body = "".join(f"    {line}\n" for line in block.splitlines())
        compile(f"async def session():\n{body}", "README.md", "exec")


def test_the_wire_structs_named_in_the_contract_exist(repository: Path) -> None:
    for cells in rows(page(repository, "contract.md"), "Endpoints"):
        for name in re.findall(r"`(\w+)`", " ".join(cells[3:5])):
            assert issubclass(getattr(sync, name, None) or getattr(membership, name), msgspec.Struct), name
