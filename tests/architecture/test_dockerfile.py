"""The image of the server, held to its promises without an engine: its file is read, and its build stage is run.

What this cannot show is the base image and the engine themselves.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.sources import ROOT

Instruction = tuple[str, str]

# Only a device has a use for these, so they show that client requirements have slipped in.
ON_DEVICES: Final = ("httpx2", "keyring", "platformdirs", "segno", "stamina", "sluss-client")


def stages() -> list[list[Instruction]]:
    """Read the Dockerfile as stages of `(instruction, its text)`, without comments and continuation lines."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: list[list[Instruction]] = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.strip():
            word, rest = line.split(maxsplit=1)
            if word == "FROM":
                found.append([])
            found[-1].append((word, rest.strip()))
    return found


def said(stage: list[Instruction], word: str) -> list[str]:
    """List what a stage says after each `word`."""
    return [rest for instruction, rest in stage if instruction == word]


def copied_from_here() -> list[tuple[str, str]]:
    """List `(source, destination)` of every COPY out of the repository."""
    copies = [shlex.split(rest) for stage in stages() for rest in said(stage, "COPY")]
    return [(source, words[-1]) for words in copies if not words[0].startswith("--") for source in words[:-1]]


def sent_to_builder(path: str) -> bool:
    """Say whether .dockerignore lets `path` through, or something inside it: the last line that matches decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        if not line or line.startswith("#"):
            continue
        if fnmatch.fnmatch(path, pattern) or path.startswith(pattern + "/"):
            sent = line.startswith("!")
        elif line.startswith("!") and pattern.startswith(path + "/"):
            sent = True
    return sent


def test_everything_copied_exists_and_is_sent() -> None:
    sources = [source for source, _ in copied_from_here()]

    assert sources
    assert [source for source in sources if not (ROOT / source).exists() or not sent_to_builder(source)] == []


def test_nothing_of_a_device_is_sent() -> None:
    assert not sent_to_builder("client_sdk")
    assert not sent_to_builder("requirements/client.txt")
    assert not [source for source, _ in copied_from_here() if source in {".", "./"} or "client" in source]


def test_the_server_is_pinned_to_what_a_server_needs() -> None:
    text = (ROOT / "requirements" / "server.txt").read_text(encoding="utf-8")
    pinned = {line.split("==")[0] for line in text.splitlines() if "==" in line and not line.startswith((" ", "#"))}

    assert "litestar" in pinned
    assert pinned.isdisjoint(ON_DEVICES)


def test_every_installation_is_pinned() -> None:
    runs = [rest for rest in said(stages()[0], "RUN") if "pip install" in rest]

    assert runs
    assert [rest for rest in runs if "--require-hashes" not in rest and "--no-index" not in rest] == []


def test_the_image_runs_as_nobody_in_particular_and_keeps_its_data() -> None:
    last = stages()[-1]
    words = [word for word, _ in last]

    assert said(last, "USER") == ["10001:10001"]
    assert "useradd --system --uid 10001" in said(last, "RUN")[0]
    assert "RUN" not in words[words.index("USER") :]
    assert said(last, "VOLUME") == ["/data"]
    assert json.loads(said(last, "ENTRYPOINT")[0]) == ["sluss"]
    assert json.loads(said(last, "CMD")[0]) == ["serve"]


def test_the_image_asks_for_a_readiness_that_the_server_has() -> None:
    (check,) = said(stages()[-1], "HEALTHCHECK")
    path = re.search(r"127\.0\.0\.1:(\d+)(/[\w/]+)", check)
    assert path
    http = [
        one.read_text(encoding="utf-8") for one in (ROOT / "server" / "src" / "sluss_server" / "http").rglob("*.py")
    ]
    if not http:
        pytest.skip("the server has no endpoints yet")

    assert f"SLUSS_PORT={path[1]}" in said(stages()[-1], "ENV")[0]
    assert any(f'"{path[2]}"' in text for text in http)


def test_the_image_sets_only_what_the_server_reads() -> None:
    (environment,) = said(stages()[-1], "ENV")
    settings = ROOT / "server" / "src" / "sluss_server" / "settings.py"
    if not settings.is_file():
        pytest.skip("the server has no settings yet")
    known = settings.read_text(encoding="utf-8")
    unread = [name for name in re.findall(r"(SLUSS_\w+)=", environment) if name not in known]

    # A settings file may name them by field: SLUSS_DATABASE_URL is database_url.
    assert [name for name in unread if not re.search(rf"\b{name.removeprefix('SLUSS_').lower()}\b", known)] == []


@pytest.mark.soak
def test_the_build_stage_makes_a_server_without_a_client(tmp_path: Path) -> None:
    root = tmp_path / "image"
    (root / "build").mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"

    # Each instruction as the engine would carry it out, with the image's folders under tmp_path.
    for word, rest in stages()[0]:
        if word == "COPY":
            *sources, destination = shlex.split(rest)
            for source in sources:
                target = root / "build" / destination
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    target.mkdir(exist_ok=True)
                    shutil.copy(ROOT / source, target)
        elif word == "RUN":
            here = re.sub(r"(?<![\w.])/(?=build/|opt/)", f"{root}/", rest)
            done = subprocess.run(
                ["sh", "-ec", here], cwd=root / "build", env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{rest}\n{done.stdout}{done.stderr}"
        else:
            assert (word, rest) in {("FROM", "python:3.11-slim AS build"), ("WORKDIR", "/build")}

    binaries = root / "opt" / "sluss" / "bin"
    for package, installed in [
        ("sluss_schemas", 0),
        ("sluss_server", 0),
        ("sluss_client", 1),
        ("httpx2", 1),
        ("pip", 1),
    ]:
        tried = subprocess.run(
            [binaries / "python", "-P", "-c", f"import {package}"], env=environment, capture_output=True, check=False
        )
        assert (package, tried.returncode) == (package, installed)
    packs = list(root.glob("opt/sluss/lib/*/site-packages/sluss_schemas/policy/packs/*.toml"))
    assert [one.name for one in packs] == [
        one.name for one in (ROOT / "schemas" / "src" / "sluss_schemas" / "policy" / "packs").glob("*.toml")
    ]
    helped = subprocess.run(
        [binaries / "sluss", "--help"], env=environment, capture_output=True, text=True, check=False
    )
    assert helped.returncode == 0, helped.stderr
    assert "serve" in helped.stdout
