"""What is installed is what was reviewed: every package pinned by hash, every file cut from one resolution."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.sources import ROOT

NAMES: Final = ("build", "client", "dev", "server", "test")
# Each distribution, and the file that has to hold all that it depends on.
PINNED_BY: Final = {"schemas": ("server", "client"), "client_sdk": ("client",), "server": ("server",)}
OURS: Final = {"sluss-schemas", "sluss-client", "sluss-server"}


def pins(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Read a requirements file as package -> (version, hashes); refuse a line that is neither."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if not line.strip() or line.strip().startswith("#"):
            continue
        pinned = re.match(r"([a-z0-9-]+)==([^ ;]+)", line)
        assert pinned, f"requirements/{name}.txt: {line[:80]}"
        found[pinned[1]] = (pinned[2], frozenset(re.findall(r"--hash=(sha256:[0-9a-f]{64})", line)))
    return found


def project(folder: str) -> tuple[str, list[str]]:
    """Read `(version, dependencies)` of a distribution."""
    table = tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(table["version"]), [str(one) for one in table["dependencies"]]


@pytest.mark.parametrize("name", NAMES)
def test_every_package_is_pinned_by_hash(name: str) -> None:
    found = pins(name)

    assert found
    assert [package for package, (_, hashes) in found.items() if not hashes] == []
    assert OURS.isdisjoint(found)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "dev"])
def test_every_file_is_cut_from_one_resolution(name: str) -> None:
    whole = pins("dev")

    assert {package: pin for package, pin in pins(name).items() if whole.get(package) != pin} == {}


@pytest.mark.parametrize(("folder", "name"), [(folder, name) for folder, names in PINNED_BY.items() for name in names])
def test_what_a_distribution_needs_is_pinned(folder: str, name: str) -> None:
    packages = {re.split(r"[\[<>=;! ]", one, maxsplit=1)[0].lower() for one in project(folder)[1]}

    assert packages - OURS <= set(pins(name))


def test_the_distributions_carry_one_version() -> None:
    projects = [project(folder) for folder in PINNED_BY]
    versions = {version for version, _ in projects}
    asked = {one.rpartition("==")[2] for _, needed in projects for one in needed if one.startswith("sluss-")}

    assert len(versions) == 1
    assert asked == versions


@pytest.mark.parametrize(
    ("folder", "package"),
    [("schemas", "sluss_schemas"), ("client_sdk", "sluss_client"), ("server", "sluss_server")],
)
def test_a_wheel_carries_every_file_of_its_package(folder: str, package: str, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT / folder,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    base = ROOT / folder / "src"
    ours = {str(path.relative_to(base)) for path in (base / package).rglob("*") if path.is_file()}

    packed = set(zipfile.ZipFile(wheel).namelist())

    assert {name for name in ours if "__pycache__" not in name} == {
        name for name in packed if ".dist-info/" not in name
    }
