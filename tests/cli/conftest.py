"""A partnership of two agencies on a real server, whose devices have only ever been used from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sluss_client.testing import Server

from tests.cli.terminal import Terminal


@dataclass(frozen=True, slots=True)
class Partnership:
    """The server, the founders' command lines, and the folder that all of it is in."""

    server: Server
    police: Terminal
    security: Terminal
    folder: Path

    def colleague(self, founder: Terminal, name: str, *options: str) -> Terminal:
        """Invite somebody and have their device ready to file and read."""
        device = Terminal(self.folder / f"{name}.sluss")
        device.ok("enrol", founder.json("invite", *options)["code"])
        founder.ok("sync")
        device.ok("sync")
        return device


@pytest.fixture(scope="module")
def partnership(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Partnership]:
    """Two agencies that have pinned each other, and two scenes, in the time that it is."""
    with pytest.MonkeyPatch.context() as patch:
        # Towns that other tests hold open have another.
        patch.delenv("SLUSS_TEST_CLOCK", raising=False)
        yield from founded(tmp_path_factory)


def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Partnership]:
    """Found it, and take it down afterwards."""
    folder = tmp_path_factory.mktemp("partnership")
    server = Server(folder, folder / "clock", None)
    codes = server.found(("police", "security"))
    server.start()
    try:
        founders = {agency: Terminal(folder / f"{agency}.sluss") for agency in codes}
        roots = {
            agency: founder.json("enrol", codes[agency], "--function", "field", "--function", "supervisors")
            for agency, founder in founders.items()
        }
        for founder in founders.values():
            founder.ok("sync")
        founders["police"].ok("peer", roots["security"]["root_fingerprint"])
        founders["security"].ok("peer", roots["police"]["root_fingerprint"])
        scenes = folder / "scenes.csv"
        scenes.write_text("slug,label_en,label_sv\npark,The park,Parken\nsquare,The square,Torget\n", encoding="utf-8")
        founders["police"].ok("scenes", "import", scenes)
        for founder in founders.values():
            founder.ok("sync")
        yield Partnership(server, founders["police"], founders["security"], folder)
    finally:
        server.stop()
