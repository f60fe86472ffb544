"""What heads of agency agree on in these tests, and who of the field can read what follows from it."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from typing import Final

import msgspec

from sluss_client import forms
from sluss_client.device import Device
from sluss_client.errors import NotFound
from sluss_client.report import Report
from sluss_client.testing import Town
from sluss_schemas.ledger import Act, read_content
from sluss_schemas.terms import read_terms, terms_bytes

CENTRAL: Final = "central-square"
SUBURBAN: Final = "suburban-square"
PARTS: Final = """
[[open]]
kind = "activity_log"
owner = "police"
to = ["social_services"]
parts = ["situation", "place"]
as = "R"
"""
NAMES: Final = """
[[open]]
kind = "outreach_contact"
owner = "social_services"
to = ["security"]
parts = ["subject"]
as = "A"
"""


def draft(
    begins: datetime | str,
    until: datetime | str,
    parts: str = PARTS,
    *,
    parties: tuple[str, ...] = ("police", "social_services"),
    scenes: str = "",
) -> str:
    """Return a draft as its head writes it."""
    first, last = (one if isinstance(one, str) else one.isoformat() for one in (begins, until))
    named = ", ".join(f'"{party}"' for party in parties)
    return (
        f'parties = [{named}]\npurpose = "Outreach knows where not to be."\nowner = "S-1, head of the field group"\n'
        f"from = {first}\nuntil = {last}\n{scenes}\n{parts}"
    )


async def sign(town: Town, agreement: str, *agencies: str) -> None:
    """Let heads sign, one after the other, each after a sync, and let every founder hear of it."""
    for agency in agencies:
        founder = town.founders[agency]
        await founder.sync()
        await founder.agreements.sign(agreement)
    for founder in town.founders.values():
        await founder.sync()


async def agree(town: Town, seconds: int, *, scenes: str = "", parts: str = PARTS) -> str:
    """Let police and social services agree for so many seconds from now, and return the agreement's id."""
    now = town.clock.now()
    text = draft(now - timedelta(seconds=1), now + timedelta(seconds=seconds), parts, scenes=scenes)
    agreement = town.founders["police"].agreements.draft(text).id
    await sign(town, agreement, "police", "social_services")
    return agreement


def patrol(town: Town, scene: str = CENTRAL) -> forms.ActivityLog:
    """Return what the police write down after an hour on the square."""
    return forms.ActivityLog(scene=scene, observed_at=town.clock.now(), situation="A patrol.", place="by the kiosk")


async def filed(author: Device, form: forms.Form) -> Report:
    """File a report and send it."""
    report = author.file(form)
    await author.sync()
    return report


def find(device: Device, report: Report) -> Report | None:
    """Return a report as a device has it; its list and `get` agree."""
    listed = [one for one in device.reports() if one.id == report.id]
    try:
        found = device.get(report.id)
    except NotFound:
        assert listed == []
        return None
    assert len(listed) == 1
    return found


def was_given(town: Town, device: Device, author: Device, report: Report) -> bool:
    """Tell whether the server ever gave a device anything of a report, whatever the device made of it."""
    (digest,) = [row.digest for row in author.local.outbox.rows() if row.report_id == report.id]
    pages = [page for answer in town.hostile.answers("/v1/pull", device.local.keys.kid) for page in answer.pages]
    entries = [entry for page in pages for entry in (*page.entries, *page.past)]
    return any(entry.digest == digest and entry.put is not None for entry in entries)


def other_terms(founder: Device, agreement: str) -> bytes:
    """Return the terms of an agreement with a later end, under the same id."""
    terms = read_terms(founder.agreements.file_of(agreement))
    return terms_bytes(msgspec.structs.replace(terms, not_after=terms.not_after + 1))


def denials(town: Town, agency: Device) -> list[Act]:
    """Return what was denied, by the ledger of an agency on the server's disk."""
    assert town.server is not None
    with closing(sqlite3.connect(town.server.data / "sluss.sqlite")) as database:
        rows = database.execute(
            "SELECT content FROM ledger_leaves WHERE action = 'deny' AND agency = ? ORDER BY seq",
            (agency.local.trust.own_id,),
        ).fetchall()
    found = [read_content("deny", row[0]) for row in rows]
    return [one for one in found if isinstance(one, Act)]


def digest_of(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
