"""Work in the background: a look that fails is told in the log, and the next one comes."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from sluss_server.services import background


class Looking:
    """A look that fails twice, quoting what it must not."""

    def __init__(self) -> None:
        self.looks = 0
        self.enough = asyncio.Event()

    async def once(self) -> None:
        self.looks += 1
        if self.looks < 3:
            message = "Anna Svensson"
            raise LookupError(message)
        self.enough.set()


async def test_a_look_that_fails_is_logged_without_what_it_quotes_and_the_next_one_comes() -> None:
    looking = Looking()
    with capture_logs() as said:
        async with background.working(looking.once, every_s=0, failed="not_looked"):
            await asyncio.wait_for(looking.enough.wait(), 10)
    assert [(line["event"], line["log_level"], line["type"].rpartition(".")[2]) for line in said] == [
        ("not_looked", "warning", "LookupError")
    ] * 2
    assert "Svensson" not in str(said)


async def test_the_end_of_the_block_ends_a_look_in_the_middle() -> None:
    begun, ended = asyncio.Event(), False

    async def once() -> None:
        nonlocal ended
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended = True

    async with background.working(once, every_s=0, failed="not_looked"):
        await asyncio.wait_for(begun.wait(), 10)
    assert ended
