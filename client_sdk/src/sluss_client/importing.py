"""Filing the rows of a CSV as reports: in batches, never twice, and going on where it was killed.

For: whoever has years of records, and the command line's `import`.
Refuses: a mapping that is for another agency, before the first row; a row that cannot be filed, with one line, while
the rest goes on.

A row is known by its source, which the store keeps in the same durable step as the report.
A row's versions are filed and amended in their order: one that is bad holds up those after it, so that its correction
can still come before them.

> INVARIANT: a run that was killed at any moment and started again leaves what one whole run leaves.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from sluss_client import saving
from sluss_client.device import Device
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.mappings import Mapping
from sluss_client.mappings.rows import Made, Reader, Skipped, ids_of
from sluss_client.mappings.table import Bad
from sluss_schemas.ids import ReportId

Progress = Callable[[int, int], None]
"""Called after every row with how many rows are done and how many there are."""
Told = Callable[[Bad], None]
"""Called with every row that was not taken, when that is known."""
SkipFile = tuple[Path, str]
"""Another file, and its column of ids."""

BATCH: Final = 50
"""Rows in one durable step: enough that waiting for the disk is not what an import does."""


@dataclass(slots=True)
class Summary:
    """What an import did, in rows; `missing_scenes` are names by slug."""

    filed: int = 0
    amended: int = 0
    skipped: int = 0
    already: int = 0
    bad: int = 0
    missing_scenes: dict[str, str] = field(default_factory=dict)


def reader(path: Path, mapping: Mapping, skip_ids: SkipFile | None = None) -> Reader:
    """Open a CSV; the ids that it leaves to another file are those of `skip_ids`, else of the mapping's own.

    The mapping's file lies beside the CSV, and where it does not nothing is left to it: both name an event alike, so
    nothing is filed twice.

    Raises:
        Invalid: `bad_row` for a file that cannot be read, `bad_mapping` for a column that is not there.

    """
    left = skip_ids
    if left is None and mapping.skip_ids_from is not None:
        beside = path.parent / mapping.skip_ids_from.file
        left = (beside, mapping.skip_ids_from.column) if beside.exists() else None
    return Reader(path, mapping, frozenset() if left is None else ids_of(*left))


def scenes_of(rows: Reader) -> dict[str, str]:
    """Return the names of the scenes that a file needs, by slug and in the order of the slugs."""
    found: dict[str, str] = {}
    for row in rows:
        if isinstance(row, Made) and row.form.scene is not None:
            found.setdefault(row.form.scene, row.scene_name)
    return dict(sorted(found.items()))


def write_scenes(path: Path, scenes: dict[str, str]) -> None:
    """Write scenes as `scenes import` reads them; a scene's name serves in both languages.

    Raises:
        Invalid: `bad_row` when the file cannot be written.

    """
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("slug", "label_en", "label_sv"))
            writer.writerows((slug, name, name) for slug, name in scenes.items())
    except OSError:
        raise Invalid("bad_row", path.name, "Give a path that can be written.") from None


async def run(device: Device, rows: Reader, *, progress: Progress | None = None, told: Told | None = None) -> Summary:
    """File what is not here yet; no network.

    Args:
        device: an approved device of the agency that the mapping is for.
        rows: what `reader` gave.
        progress: called after every row.
        told: called with every bad row.

    Raises:
        Invalid: `bad_mapping` for a device of another agency.
        Refused: `waiting_for_approval`.
        StoreError: `disk_full`; the batches before are safe, and the next run goes on after them.

    """
    if not device.approved:
        raise Refused("device", code="waiting_for_approval")
    owner = rows.mapping.owner
    if owner is not None and device.agency != owner:
        raise Invalid("bad_mapping", "owner", f"This mapping is for a device of {owner}.")
    read = list(rows)
    made = [row for row in read if isinstance(row, Made)]
    work = _Run(device, made, rows.mapping, told or _to_nobody)
    for row in read:
        if isinstance(row, Bad):
            work.refuse(row)
        elif isinstance(row, Skipped):
            work.summary.skipped += 1
    done, total = work.summary.bad + work.summary.skipped, len(read)
    versions = (one for event in _by_source(made) for one in event)
    while batch := list(islice(versions, BATCH)):
        with device.batch():
            for at, row in batch:
                await work.take(at, row)
                done += 1
                if progress is not None:
                    progress(done, total)
    return work.summary


def _to_nobody(_bad: Bad) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class _Event:
    """All rows about one thing, in the order of their versions, and what is known of it while it is taken in."""

    source: str
    rows: list[Made]
    taken: dict[int, Made] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[_Event, Made]]:
        """Yield each row, with the event."""
        return ((self, row) for row in self.rows)


def _by_source(made: Sequence[Made]) -> list[_Event]:
    events: dict[str, _Event] = {}
    for row in made:
        events.setdefault(row.source, _Event(row.source, [])).rows.append(row)
    for event in events.values():
        event.rows.sort(key=lambda row: (row.version, row.row))
    return list(events.values())


class _Run:
    """One import on one device."""

    def __init__(self, device: Device, made: Sequence[Made], mapping: Mapping, told: Told) -> None:
        self.summary = Summary()
        self._device = device
        self._governed = mapping.governed()
        self._versioned = mapping.version is not None
        # By source, the least version that was refused in this run.
        self._held_up: dict[str, int] = {}
        self._told = told
        self._scenes = {slug for slug, _, _ in device.scenes()}
        # Of the whole file, so that a run which goes on after a kill refuses the same rows.
        self._names: dict[str | None, str] = {}
        for row in made:
            self._names.setdefault(row.form.scene, row.scene_name.casefold())

    def refuse(self, bad: Bad) -> None:
        self.summary.bad += 1
        if self._versioned and bad.source:
            self._held_up[bad.source] = min(bad.version, self._held_up.get(bad.source, bad.version))
        self._told(bad)

    async def take(self, event: _Event, row: Made) -> None:
        try:
            await self._take(event, row)
        except (Invalid, NotFound, Refused) as wrong:
            self.refuse(Bad(row.row, wrong.code, wrong.field, wrong.say, row.source, row.version))

    async def _take(self, event: _Event, row: Made) -> None:
        before = event.taken.get(row.version)
        if before is not None:
            if before.form != row.form:
                say = "Another row has the same source and says something else; name more columns in the mapping."
                raise Invalid("bad_row", "source", say)
            self.summary.already += 1
            return
        report = self._known(row.source)
        key = f"{row.source}@{row.version}" if row.version else row.source
        if self._known(key) is not None:
            self.summary.already += 1
        elif self._held_up.get(row.source, row.version) < row.version:
            raise Invalid("bad_row", "version", "An earlier version of it was not taken; correct that one first.")
        elif report is None:
            self._file(row, key)
        elif any(self._known(f"{row.source}@{later.version}") for later in event.rows if later.version > row.version):
            raise Invalid("bad_row", "version", "A later version is imported already; this one cannot go before it.")
        else:
            await self._amend(report, row, key)
        event.taken[row.version] = row

    def _file(self, row: Made, key: str) -> None:
        self._check_scene(row)
        report = self._device.file(row.form, source=row.source)
        if key != row.source:
            # In the batch's own transaction: both names of the first version are durable together.
            self._device.local.store.put(saving.SOURCE, key.encode(), report.id)
        self.summary.filed += 1

    async def _amend(self, report: ReportId, row: Made, key: str) -> None:
        self._check_scene(row)
        if self._device.get(report).kind_number != row.form.KIND:
            raise Invalid("bad_row", "kind", "A report keeps its kind; file this version as a report of its own.")
        changes = {name: getattr(row.form, name) for name in self._governed if name in row.form.__struct_fields__}
        await self._device.amend(report, source=key, **changes)
        self.summary.amended += 1

    def _check_scene(self, row: Made) -> None:
        """Refuse a scene that is not registered, and two names that would fall on one slug."""
        slug = row.form.scene
        if slug is None:
            return
        if slug not in self._scenes:
            self.summary.missing_scenes.setdefault(slug, row.scene_name)
            raise Invalid("unknown_scene", "scene", "Have a registrar register the scene, sync, and import again.")
        if self._names[slug] != row.scene_name.casefold():
            raise Invalid("bad_row", "scene", "Two names of this file would be one scene; rename one of them.")

    def _known(self, key: str) -> ReportId | None:
        found = self._device.local.store.get(saving.SOURCE, key.encode())
        return None if found is None else ReportId(found)
