"""Commands about case records: tasks, requests, consents, feedback, notes, shifts and legal holds.

Refuses: nothing by itself; each is a few lines over the device's calls.

> INVARIANT: nothing here touches the network; what is filed leaves with the next sync.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import rich_click as click
from click.exceptions import UsageError

from sluss_client.cases.consents import Given
from sluss_client.cases.releasing import Wanted
from sluss_client.cli import common
from sluss_client.cli.common import EXIT_CODES
from sluss_client.device import Device

_DAYS: Final = 30


def _when(device: Device, at: int) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(device.pack.zone)).isoformat()


def _until(device: Device, days: int) -> int:
    return device.now() + days * 86_400


def _id(text: str) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != 16:  # noqa: PLR2004  # ids.ID_BYTES
        raise UsageError("An id is 32 hexadecimal digits.")
    return data


def _print(rows: list[dict[str, Any]], line: Callable[[dict[str, Any]], str], *, as_json: bool) -> None:
    if as_json:
        common.print_json(rows)
        return
    for row in rows:
        click.echo(line(row))


@click.command(epilog=EXIT_CODES)
@common.with_json
def tasks(*, as_json: bool) -> None:
    """List what is to be done until when; what is overdue comes first."""
    rows = common.reading(
        lambda device: [
            {
                "id": one.id.hex(),
                "code": one.code,
                "name": one.name,
                "report": None if one.report_id is None else one.report_id.hex(),
                "by": one.by,
                "until": _when(device, one.until),
                "state": one.state,
                "how": one.how,
                "person": one.person,
                "hour": _when(device, one.hour) if one.hour else None,
                "count": one.count,
            }
            for one in device.tasks()
        ]
    )
    _print(rows, lambda row: f"{row['until']}  {row['state']:<8} {row['name']:<40} {row['id']}", as_json=as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("report_id", metavar="ID")
@click.option("--text", required=True, help="What is to be done.")
@click.option("--to", multiple=True, metavar="ALIAS", help="A colleague; may be given again.")
@click.option("--days", type=click.IntRange(1, 365), default=7, show_default=True, help="Until when.")
@common.with_json
def task(report_id: str, text: str, to: tuple[str, ...], days: int, *, as_json: bool) -> None:
    """Give colleagues something to do about a report of the own agency; the own supervisors have it too."""
    record = common.reading(
        lambda device: device.task(report_id, text, until=datetime.fromtimestamp(_until(device, days), UTC), to=to)
    )
    _said({"id": record.hex()}, as_json=as_json)


@click.command(name="end-task", epilog=EXIT_CODES)
@click.argument("task", metavar="TASK")
@click.option("--how", type=click.Choice(["no", "oral", "done"]), required=True, help="How it ended.")
@click.option("--text", required=True, help="The assessment, what was told, or what was done.")
@common.with_json
def end_task(task: str, how: str, text: str, *, as_json: bool) -> None:
    """End a task, with the reason; what is disclosed ends its task by itself."""
    common.reading(lambda device: device.end_task(_id(task), how, text))
    _said({"id": task}, as_json=as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("report_id", metavar="ID")
@click.option("--gateway", required=True, metavar="CODE", help="The ground on which it was told.")
@click.option("--to", required=True, help="Whom it was told.")
@click.option("--text", required=True, help="What was told.")
@common.with_json
def told(report_id: str, gateway: str, to: str, text: str, *, as_json: bool) -> None:
    """Record that something of an own report was told by word of mouth."""
    record = common.reading(lambda device: device.told(report_id, gateway, to=to, text=text))
    _said({"id": record.hex()}, as_json=as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("agency")
@click.option("--text", required=True, help="What is asked for, and why.")
@click.option("--code", default="", help="The ground that is referred to.")
@click.option("--report", "report_id", metavar="ID", help="A report that this device has.")
@common.with_json
def request(agency: str, text: str, code: str, report_id: str | None, *, as_json: bool) -> None:
    """Ask the supervisors of AGENCY for something."""
    record = common.reading(lambda device: device.request(agency, text, code=code, report_id=report_id))
    _said({"id": record.hex()}, as_json=as_json)


@click.command(epilog=EXIT_CODES)
@common.with_json
def requests(*, as_json: bool) -> None:
    """List the requests that were made here or came for this person."""
    rows = common.reading(
        lambda device: [
            {
                "id": one.id.hex(),
                "agency": one.agency,
                "asks_us": one.to,
                "code": one.code,
                "report": None if one.report_id is None else one.report_id.hex(),
                "text": one.text,
                "since": _when(device, one.since),
                "state": one.state,
                "rule": one.rule,
                "answer": one.answer,
                "until": None if one.until is None else _when(device, one.until),
                "affirmed": list(one.affirmed),
                "details": one.details,
            }
            for one in device.requests()
        ]
    )
    _print(rows, lambda row: f"{row['since']}  {row['state']:<8} {row['agency']:<16} {row['text']}", as_json=as_json)


@click.command(name="answer-request", epilog=EXIT_CODES)
@click.argument("request_id", metavar="REQUEST")
@click.option("--granted/--refused", "granted", required=True, help="What the answer is.")
@click.option("--text", required=True, help="The answer.")
@click.option("--rule", default="", help="The rule that it rests on.")
@click.option("--affirm", multiple=True, metavar="CODE", help="What was weighed, for a request that asks for it.")
@click.option("--detail", "told", nargs=2, multiple=True, metavar="FIELD VALUE", help="What is told; repeat it.")
@common.with_json
def answer_request(
    request_id: str,
    text: str,
    rule: str,
    affirm: tuple[str, ...],
    told: tuple[tuple[str, str], ...],
    *,
    granted: bool,
    as_json: bool,
) -> None:
    """Answer a request; what is granted is disclosed by itself, with `disclose`, or told field by field."""
    tests, details = dict.fromkeys(affirm, True), dict(told)
    common.reading(
        lambda device: device.answer_request(
            _id(request_id), granted=granted, text=text, rule=rule, tests=tests, details=details
        )
    )
    _said({"id": request_id}, as_json=as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("report_id", metavar="ID", required=False)
@click.option("--agency", "agencies", multiple=True, help="Who may be told; repeat it.")
@click.option("--part", "parts", multiple=True, help="Which parts, for instance subject; repeat it.")
@click.option("--purpose", default="", help="What for.")
@click.option("--days", default=_DAYS, show_default=True, help="For how long.")
@click.option("--by", multiple=True, default=["subject"], help="subject, guardian, or both; repeat it.")
@click.option("--age", type=int, help="The youngest plausible age of a minor.")
@click.option("--withdraw", metavar="CONSENT", help="Take this consent back instead.")
@click.option("--reason", default="", help="Why it is taken back.")
@common.with_json
def consent(report_id: str | None, *, withdraw: str | None, reason: str, as_json: bool, **said: Any) -> None:  # noqa: ANN401  # options
    """Record a consent about report ID, take one back, or list them all."""

    def act(device: Device) -> list[dict[str, Any]]:
        if withdraw is not None:
            device.withdraw_consent(_id(withdraw), reason)
        elif report_id is not None:
            given = Given(
                agencies=said["agencies"],
                compartments=said["parts"],
                purpose=said["purpose"],
                until=_until(device, said["days"]),
                given_by=said["by"],
                age=said["age"],
            )
            device.consent(report_id, given)
        return [
            {
                "id": one.id.hex(),
                "report": None if one.report_id is None else one.report_id.hex(),
                "agencies": list(one.agencies),
                "parts": list(one.compartments),
                "purpose": one.purpose,
                "until": _when(device, one.until),
                "state": one.state,
            }
            for one in device.consents()
        ]

    rows = common.reading(act)
    _print(
        rows,
        lambda row: f"{row['until']}  {row['state']:<9} {', '.join(row['agencies'])}: {row['purpose']}  {row['id']}",
        as_json=as_json,
    )


@click.command(epilog=EXIT_CODES)
@click.argument("report_id", metavar="ID")
@click.argument("code", required=False)
@click.option("--affirm", multiple=True, metavar="TEST", help="A precondition that is met; repeat it.")
@common.with_json
def feedback(report_id: str, code: str | None, affirm: tuple[str, ...], *, as_json: bool) -> None:
    """Tell the reporter of a concern what became of it (CODE), or list what came back about an own one."""

    def act(device: Device) -> list[str]:
        if code is None:
            return device.feedback_for(report_id)
        device.feedback(report_id, code, dict.fromkeys(affirm, True))
        return [code]

    _said({"codes": common.reading(act)}, as_json=as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("report_id", metavar="ID")
@click.option("--column", type=click.Choice(["PUB", "EXT", "SUPX"]), required=True, help="Who reads it.")
@click.option("--text", required=True, help="The statement, without persons.")
@click.option("--part", "parts", multiple=True, default=["situation"], help="The parts it draws on; repeat it.")
@click.option("--partner", default="", help="One partner, where it is not for everybody.")
@click.option("--days", default=_DAYS, show_default=True, help="For how long.")
@click.option("--lang", type=click.Choice(["en", "sv"]), default="sv", show_default=True)
@common.with_json
def note(report_id: str, days: int, *, as_json: bool, **said: Any) -> None:  # noqa: ANN401  # options
    """Release a statement in clear that draws on report ID, for readers without keys."""
    record = common.reading(
        lambda device: device.note(
            report_id,
            Wanted(
                column=said["column"],
                text=said["text"],
                until=_until(device, days),
                compartments=said["parts"],
                partner=said["partner"],
                lang=said["lang"],
            ),
        )
    )
    _said({"id": record.hex()}, as_json=as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("scene")
@click.option("--hours", default=8, show_default=True, help="For how long.")
@common.with_json
def shift(scene: str, hours: int, *, as_json: bool) -> None:
    """Say that this person is on shift at SCENE."""
    record = common.reading(lambda device: device.begin_shift(scene, hours))
    _said({"id": record.hex()}, as_json=as_json)


@click.command("end-shift", epilog=EXIT_CODES)
@click.argument("shift_id", metavar="ID", required=False)
@common.with_json
def end_shift(shift_id: str | None, *, as_json: bool) -> None:
    """End shift ID before its time, or every shift that was begun on this device."""

    def act(device: Device) -> list[dict[str, Any]]:
        running = {one.id: one for one in device.shifts()}
        wanted = list(running) if shift_id is None else [_id(shift_id)]
        for one in wanted:
            device.end_shift(one)
        return [{"id": one.hex(), "scene": running[one].scene} for one in wanted]

    ended = common.reading(act)
    if as_json:
        common.print_json(ended)
        return
    for row in ended:
        click.echo(f"{row['id']}  {row['scene']}")


@click.command(epilog=EXIT_CODES)
@click.argument("report_id", metavar="ID", required=False)
@click.option("--reason", default="", help="Why; only the own supervisors read it.")
@click.option("--days", type=int, help="For how long, where it ends by itself.")
@common.with_json
def preserve(report_id: str | None, reason: str, days: int | None, *, as_json: bool) -> None:
    """Place a legal hold on report ID, so that it is not culled when its time runs out, or list the holds."""

    def act(device: Device) -> list[dict[str, Any]]:
        if report_id is not None:
            until = None if days is None else datetime.fromtimestamp(_until(device, days), UTC)
            device.preserve(report_id, reason, until=until)
        return [
            {
                "id": one.id.hex(),
                "report": None if one.report_id is None else one.report_id.hex(),
                "reason": one.reason,
                "by": one.alias,
                "placed": _when(device, one.placed_at),
                "until": None if one.until is None else _when(device, one.until),
                "state": one.state,
            }
            for one in device.preserved()
        ]

    rows = common.reading(act)
    _print(
        rows,
        lambda row: f"{row['placed']}  {row['state']:<8} {row['report'] or '-'}: {row['reason']}  {row['id']}",
        as_json=as_json,
    )


@click.command("end-preservation", epilog=EXIT_CODES)
@click.argument("hold", metavar="ID")
@click.option("--reason", required=True, help="Why it ends; only the own supervisors read it.")
@common.with_json
def end_preservation(hold: str, reason: str, *, as_json: bool) -> None:
    """End the legal hold ID; a report whose time has run out is then culled."""
    common.reading(lambda device: device.end_preservation(_id(hold), reason))
    _said({"id": hold}, as_json=as_json)


def _said(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        common.print_json(document)
        return
    for value in document.values():
        click.echo(value if isinstance(value, str) else " ".join(value))


COMMANDS: Final = (
    tasks,
    task,
    end_task,
    told,
    request,
    requests,
    answer_request,
    consent,
    feedback,
    note,
    shift,
    end_shift,
    preserve,
    end_preservation,
)
"""Every command of this module, in the order of the help."""
