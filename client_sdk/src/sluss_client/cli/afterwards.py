"""Commands around a decision: to approve what somebody proposes, to take it back, to look at it again.

Refuses: as the device does.

> INVARIANT: nothing is taken back or upheld without a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rich_click as click
from click.exceptions import UsageError

from sluss_client.cli import common, disclosing
from sluss_client.cli.common import EXIT_CODES
from sluss_client.device import Device
from sluss_client.disclosing.answers import Proposal, Recall, Review
from sluss_schemas.policy.model import Pack
from sluss_schemas.policy.readers import Language


@click.command(epilog=EXIT_CODES)
@click.argument("grant_id", metavar="ID")
@click.option("--reason", required=True, help="Why; sealed to the receivers and the own supervisors.")
@click.option("--corrected", is_flag=True, help="It was wrong, and a corrected report follows.")
@disclosing.yes_option
@disclosing.lang_option
@common.with_json
def recall(grant_id: str, reason: str, lang: Language, *, corrected: bool, yes: bool, as_json: bool) -> None:
    """Take back what was disclosed, by the id of the decision."""

    async def whole(device: Device) -> None:
        disclosing.sure(lang, yes=yes, what=disclosing.say(lang, "recall", grant_id))
        await device.recall(disclosing.id_of(grant_id, "grant"), reason, "corrected" if corrected else "recalled")

    common.on_device(whole)
    _done(grant_id, lang, as_json=as_json)


@click.command(epilog=EXIT_CODES)
@common.with_json
def recalls(*, as_json: bool) -> None:
    """List the recalls, with the devices that have confirmed and those that have not; no network."""
    rows = common.reading(lambda device: [_recall(one, device.pack) for one in device.recalls()])
    if as_json:
        common.print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['recalled_at']}  {row['code']:<9} {row['grant']}")
        for one in row["confirmed"]:
            click.echo(f"  confirmed {one['at']}  {one['alias']}  {one['device']}")
        for one in row["missing"]:
            click.echo(f"  missing   {'-':<25}  {one['alias']}  {one['device']}")


def _recall(one: Recall, pack: Pack) -> dict[str, Any]:
    said = [{"alias": alias, "device": kid.hex(), "at": disclosing.when(at, pack)} for alias, kid, at in one.confirmed]
    missing = [{"alias": alias, "device": kid.hex()} for alias, kid in one.missing]
    head = {"record": one.record.hex(), "grant": one.grant_id.hex(), "code": one.code}
    return head | {"recalled_at": disclosing.when(one.recalled_at, pack), "confirmed": said, "missing": missing}


@click.command(epilog=EXIT_CODES)
@common.with_json
def proposals(*, as_json: bool) -> None:
    """List what others propose to disclose and this person may approve; no network."""
    rows = common.reading(lambda device: [_proposal(one, device.pack) for one in device.proposals()])
    if as_json:
        common.print_json(rows)
        return
    for row in rows:
        click.echo(
            f"{row['proposed_at']}  {row['gateway']:<4} {', '.join(row['compartments'])} -> {', '.join(row['to'])}  "
            f"{row['by']}  {row['record']}"
        )
        _print_reasons(row["reasons"])


def _print_reasons(reasons: Sequence[dict[str, str]]) -> None:
    for one in reasons:
        click.echo(f"  {one['test']}: {' '.join(one['text'].split())}")


def _proposal(one: Proposal, pack: Pack) -> dict[str, Any]:
    return {
        "record": one.record.hex(),
        "report": one.report_id.hex(),
        "gateway": one.gateway,
        "to": list(one.to),
        "compartments": list(one.compartments),
        "tests": list(one.tests),
        "reasons": [{"test": code, "text": text} for code, text in one.reasons],
        "by": one.by,
        "until": disclosing.when(one.until, pack),
        "proposed_at": disclosing.when(one.proposed_at, pack),
    }


@click.command(epilog=EXIT_CODES)
@click.argument("record", metavar="ID")
@click.option("--refuse", "why", metavar="REASON", help="Refuse it, and say why to whoever proposed it.")
@disclosing.lang_option
@common.with_json
def approve(record: str, why: str | None, lang: Language, *, as_json: bool) -> None:
    """Approve what somebody else proposes to disclose, or refuse it with a reason."""

    async def whole(device: Device) -> None:
        if why is None:
            await device.approve(disclosing.id_of(record, "proposal"))
        else:
            await device.refuse(disclosing.id_of(record, "proposal"), why)

    common.on_device(whole)
    _done(record, lang, as_json=as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("grant_id", metavar="[ID]", required=False)
@click.option("--upheld/--not-upheld", default=None, help="Whether the decision stands; one that does not is recalled.")
@click.option("--reason", help="Why; sealed to the own supervisors and whoever decided.")
@disclosing.lang_option
@common.with_json
def review(grant_id: str | None, reason: str | None, lang: Language, *, upheld: bool | None, as_json: bool) -> None:
    """List the decisions that supervisors look at afterwards, or say of one whether it stands."""
    if grant_id is None:
        _print_reviews(as_json=as_json)
        return
    if upheld is None or reason is None:
        raise UsageError("Say --upheld or --not-upheld, and --reason.")

    async def whole(device: Device) -> None:
        await device.review(disclosing.id_of(grant_id, "grant"), upheld=upheld, reason=reason)

    common.on_device(whole)
    _done(grant_id, lang, as_json=as_json)


def _print_reviews(*, as_json: bool) -> None:
    rows = common.reading(lambda device: [_review(one, device.pack) for one in device.reviews()])
    if as_json:
        common.print_json(rows)
        return
    for row in rows:
        state = {None: "waiting", True: "upheld", False: "not upheld"}[row["upheld"]]
        click.echo(
            f"{row['review_by']}  {state:<10} {row['gateway']:<4} {', '.join(row['compartments'])} -> "
            f"{', '.join(row['to'])}  {row['by']}  {row['grant']}"
        )
        _print_reasons(row["reasons"])


def _review(one: Review, pack: Pack) -> dict[str, Any]:
    return {
        "grant": one.grant_id.hex(),
        "report": one.report_id.hex(),
        "gateway": one.gateway,
        "to": list(one.to),
        "compartments": list(one.compartments),
        "reasons": [{"test": code, "text": text} for code, text in one.reasons],
        "by": one.by,
        "review_by": disclosing.when(one.review_by, pack),
        "upheld": one.upheld,
    }


def _done(name: str, lang: Language, *, as_json: bool) -> None:
    if as_json:
        common.print_json({"id": name.lower()})
    else:
        click.echo(disclosing.say(lang, "kept"))
