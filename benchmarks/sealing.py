"""The report that every workload uses, and its sealing before the time starts.

One incident of a guard: 1,500 bytes of text in four sections (situation, place, subject, enforcement), to which the
protocol adds the author's section and the briefs, sealed for the six audiences that the pack gives such a report.
Runs in processes of its own, one per device, because a device's store belongs to one process.

> INVARIANT: nothing is sealed twice: every report has its own id, keys and text.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from sluss_client import Device, filing, forms
from sluss_client.sealers import Moment
from sluss_client.testing import PASSPHRASE
from sluss_schemas.ids import ReportId

SCENE: Final = "central-square"
AUDIENCES: Final = 6
TEXT_BYTES: Final = 1_500
_SITUATION, _PLACE, _PERSON, _ENFORCEMENT = 700, 150, 250, 400
_AGO: Final = timedelta(minutes=5)
_WORDS: Final = "Two men stood by the kiosk, argued about money and left towards the station. "


@dataclass(frozen=True, slots=True)
class Made:
    """A file of sealed items (MessagePack, a list of bytes) and the ids of their reports in the same order."""

    items: Path
    ids: tuple[ReportId, ...]


def report(number: int, now: int) -> forms.OrderIncident:
    """Return the form with a text of its own; `now` in Unix seconds."""
    return forms.OrderIncident(
        scene=SCENE,
        observed_at=datetime.fromtimestamp(now, UTC) - _AGO,
        sub_kind="threat",
        severity=2,
        number_band="2-4",
        situation=_text(number, _SITUATION),
        place=_text(number, _PLACE),
        subject=[forms.Person(role="suspect", age_band="18-20", description=_text(number, _PERSON))],
        enforcement=_text(number, _ENFORCEMENT),
    )


def _text(number: int, size: int) -> str:
    start = f"Note {number}. "
    return (start + _WORDS * (size // len(_WORDS) + 1))[:size]


@cache
def opened(store: Path) -> Device:
    """Return a device whose store this process keeps open."""
    return asyncio.run(Device.open(store, PASSPHRASE))


def prepared(device: Device, count: int) -> tuple[Moment, list[filing.Sealable]]:
    """Return what `filing.seal` needs for some reports, as a sync would give it.

    Raises:
        ValueError: the pack does not give this report to six audiences, so it would be another workload.

    """
    local, now = device.local, device.now()
    moment = Moment(local.author(), local.trust, local.trust.pack(now), now)
    work = []
    for number in range(count):
        form = report(number, now)
        filled = filing.filled_slots(form, moment.trust.own.sector, moment.pack)
        shown = filing.shown_readers(moment.trust, moment.pack, form, filled, now)
        if len(shown) != AUDIENCES:
            message = f"this report goes to {len(shown)} audiences: {', '.join(shown)}"
            raise ValueError(message)
        work.append(filing.Sealable(form, ReportId(os.urandom(16)), 1, (), now, shown, ()))
    return moment, work


def make(store: Path, items: Path, count: int) -> Made:
    """Seal some reports into a file."""
    moment, work = prepared(opened(store), count)
    sealed = [filing.seal(one, moment).item for one in work]
    items.write_bytes(msgspec.msgpack.encode(sealed))
    return Made(items, tuple(one.report_id for one in work))


def timed(store: Path, count: int) -> float:
    """Return the seconds that the sealing of some reports takes, without filing and without a store."""
    moment, work = prepared(opened(store), count)
    started = time.perf_counter()
    for one in work:
        filing.seal(one, moment)
    return time.perf_counter() - started


def chunks(count: int, size: int) -> Iterator[int]:
    """Yield sizes of at most `size` that add up to `count`."""
    while count > 0:
        yield min(count, size)
        count -= size
