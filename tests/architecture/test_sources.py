"""What every source file keeps: it says what it is for, it stays small, and nothing names where packages come from."""

from __future__ import annotations

import ast
import re
from typing import Final

import pytest

from tests.architecture.sources import ROOT, Source, files, product

LINES: Final = 400
# Each of these is to be reviewed by one person in an afternoon.
LINES_OF: Final = {"sluss_client.crypto": 250, "sluss_schemas.policy.decide": 250}

# In pieces, because this file is searched as well.
REGISTRIES: Final = tuple(
    re.compile(re.escape(left + right), re.IGNORECASE)
    for left, right in (
        ("pypi", ".org"),
        ("python", "hosted"),
        ("npm", "js.org"),
        ("npm", "js.com"),
        ("crates", ".io"),
        ("proxy.", "golang.org"),
        ("ghcr", ".io"),
        ("docker", ".io"),
        ("quay", ".io"),
        ("conda", ".org"),
        ("anaconda", ".com"),
    )
)


def test_every_module_says_what_it_is_for() -> None:
    silent = [source.module for source in product() if not (ast.get_docstring(source.tree) or "").strip()]

    assert silent == []


def test_no_module_outgrows_its_reader() -> None:
    sizes = {source.module: len(source.text.splitlines()) for source in product()}
    long = {module: lines for module, lines in sizes.items() if lines > LINES_OF.get(module, LINES)}

    assert long == {}


def test_the_walk_sees_each_distribution_that_exists() -> None:
    # Else every rule of this folder would pass on an empty list.
    walked = {source.module for source in product()}

    assert walked >= {path.parent.name for path in ROOT.glob("*/src/*/__init__.py")}
    assert "sluss_schemas.codec" in walked


def test_no_folder_of_modules_lacks_its_init() -> None:
    # The import contract does not look into such a folder. Alembic's scripts are run by path and are no package.
    folders = {source.path.parent for source in product() if "migrations" not in source.path.parts}

    assert [str(folder.relative_to(ROOT)) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_no_file_names_a_registry() -> None:
    named = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files()
        for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").splitlines(), 1)
        if any(pattern.search(line) for pattern in REGISTRIES)
    ]

    assert named == []


@pytest.mark.parametrize("address", ["https://" + "pypi" + ".org/simple", "https://files." + "python" + "hosted.org/x"])
def test_a_registry_is_recognised(address: str) -> None:
    assert any(pattern.search(f"see {address} for it") for pattern in REGISTRIES)


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")

    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_relative_imports_are_resolved() -> None:
    # The rules of test_imports.py lean on it.
    source = Source.of("from ..storage import tables", module="sluss_server.http.push")

    assert list(source.imports()) == [(1, "sluss_server.storage.tables")]
