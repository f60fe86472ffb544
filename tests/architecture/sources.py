"""Reads the Python files of this repository as syntax trees, for the tests that hold them to the rules.

Nothing is imported from what is read: a file that breaks a rule must not run to be caught.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
TREES: Final = {
    "sluss_schemas": ROOT / "schemas" / "src",
    "sluss_client": ROOT / "client_sdk" / "src",
    "sluss_server": ROOT / "server" / "src",
}
AROUND: Final = ("tests", "examples", "benchmarks")
_BESIDE: Final = {"dist", "build", "node_modules"}


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file: its dotted module name, its place and its text."""

    module: str
    path: Path
    text: str

    @classmethod
    def read(cls, path: Path, base: Path) -> Source:
        """Read `path`; its module name is its place under `base`."""
        parts = path.relative_to(base).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        return cls.of(path.read_text(encoding="utf-8"), module=".".join(parts), path=path)

    @classmethod
    def of(cls, text: str, *, module: str, path: Path = Path("sample.py")) -> Source:
        """Take `text` as if it stood in `path`."""
        return cls(module=module, path=path, text=text)

    @property
    def tree(self) -> ast.Module:
        """Its tree, parsed anew: those of all files together are too large to be kept."""
        return ast.parse(self.text)

    def imports(self) -> tuple[tuple[int, str], ...]:
        """Return `(line, dotted name)` of everything imported, wherever in the file the import stands.

        `from a.b import c` gives `a.b.c`: whether c is a module or a name, a rule about a.b or a.b.c sees it.
        `from a import *` gives `a`.
        """
        return _imports(self)

    def _imported(self) -> Iterator[tuple[int, str]]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node.lineno, alias.name
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                for alias in node.names:
                    yield node.lineno, base if alias.name == "*" else f"{base}.{alias.name}"

    def uses(self) -> Iterator[tuple[int, str]]:
        """Yield `(line, dotted name)` of every name and attribute chain that begins at an import.

        `import datetime as dt; dt.datetime.now()` yields `datetime.datetime.now`, called or handed on.
        """
        known: dict[str, str] = {}
        tree = self.tree
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.split(".")[0]
                    known[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                known |= {a.asname or a.name: f"{self._base(node)}.{a.name}" for a in node.names}
        for node in ast.walk(tree):
            chain: list[str] = []
            inner: ast.AST = node
            while isinstance(inner, ast.Attribute):
                chain.append(inner.attr)
                inner = inner.value
            if isinstance(inner, ast.Name) and inner.id in known:
                yield inner.lineno, ".".join([known[inner.id], *reversed(chain)])

    def _base(self, node: ast.ImportFrom) -> str:
        """Name the module that a `from` imports out of, with leading dots resolved."""
        if not node.level:
            return node.module or ""
        package = self.module.split(".") if self.path.name == "__init__.py" else self.module.split(".")[:-1]
        package = package[: len(package) - node.level + 1]
        return ".".join([*package, node.module] if node.module else package)


@cache
def _imports(source: Source) -> tuple[tuple[int, str], ...]:
    """Return what a file imports; every rule about imports asks for it."""
    return tuple(source._imported())


def under(name: str, *packages: str) -> bool:
    """Say whether the dotted `name` is one of `packages` or stands inside one."""
    return any(name == package or name.startswith(package + ".") for package in packages)


def product() -> Iterator[Source]:
    """Yield every module of the three distributions."""
    for package, base in TREES.items():
        for path in sorted((base / package).rglob("*.py")):
            yield Source.read(path, base)


def everything() -> Iterator[Source]:
    """Yield every module of the distributions and of what stands around them."""
    yield from product()
    for folder in AROUND:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield Source.read(path, ROOT)


def files() -> list[Path]:
    """List every file that is in the repository or would be with the next commit.

    Without git, as in an unpacked archive, every file but those of caches and environments.
    """
    git = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(git, check=True, capture_output=True, text=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        inside = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        hidden = ((one, [part for part in one.parts if part.startswith(".") or part in _BESIDE]) for one in inside)
        listed = [str(one) for one, skipped in hidden if not skipped or skipped == [".ci"]]
    return [path for name in listed if name and (path := ROOT / name).is_file()]
