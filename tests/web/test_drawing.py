"""Charts are drawn beside the server, the same bytes for the same numbers, and load nothing."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from sluss_server.web.drawing import Drawer, DrawingError


def bars(*heights: int) -> dict[str, object]:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "data": {"values": [{"week": f"W{n}", "n": height} for n, height in enumerate(heights)]},
        "mark": "bar",
        "encoding": {"x": {"field": "week", "type": "ordinal"}, "y": {"field": "n", "type": "quantitative"}},
    }


async def test_the_same_numbers_are_the_same_picture_also_by_another_process() -> None:
    first, second = Drawer(), Drawer()
    try:
        drawn = await first.svg(bars(3, 1, 4))
        assert drawn == await second.svg(bars(3, 1, 4))
        assert drawn != await first.svg(bars(3, 1, 5))
        assert ET.fromstring(drawn).tag.endswith("svg")  # noqa: S314  # our own
    finally:
        await first.close()
        await second.close()


async def test_after_a_while_the_process_is_gone_and_the_next_chart_starts_another() -> None:
    drawer = Drawer(idle_s=0)
    try:
        first = await drawer.svg(bars(1))
        process = drawer._process
        if process is not None:
            await process.wait()
        assert await drawer.svg(bars(2)) != first
    finally:
        await drawer.close()
    assert drawer._process is None


async def test_what_cannot_be_drawn_is_a_fault_and_the_next_is_drawn() -> None:
    drawer = Drawer()
    try:
        with pytest.raises(DrawingError):
            await drawer.svg({"mark": {"no": "chart"}})
        assert await drawer.svg(bars(1))
    finally:
        await drawer.close()


async def test_nothing_is_fetched_for_a_chart() -> None:
    drawer = Drawer()
    try:
        with pytest.raises(DrawingError):
            await drawer.svg({**bars(1), "data": {"url": "https://example.org/numbers.json"}})
    finally:
        await drawer.close()


def test_the_server_does_not_carry_what_draws() -> None:
    say = "import sys, sluss_server.cli, sluss_server.web.drawing; print('vl_convert' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", say], text=True).strip() == "False"
