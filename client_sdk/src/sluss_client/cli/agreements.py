"""`sluss-device agreement`: what heads of agencies agree on: draft it, sign it, see what is in force, end it.

Every party signs the same terms with a device of its own; a file goes to whoever signs next, and to a registrar.
Refuses what the statute does not leave to the agencies, with the rule and what the law allows instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec
import rich_click as click

from sluss_client.agency.agreements import AgreementRow, Gain
from sluss_client.agency.drafting import EXAMPLE
from sluss_client.cli import common
from sluss_client.cli.common import EXIT_CODES
from sluss_client.cli.disclosing import lang_option
from sluss_client.device import Device
from sluss_client.errors import Invalid, StoreError
from sluss_client.views import moment
from sluss_schemas.policy.model import Pack
from sluss_schemas.policy.readers import Language
from sluss_schemas.policy.simulate import Change, said

out_option = click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write here what whoever comes next needs."
)


@click.group()
def agreement() -> None:
    """Agreements between agencies, which open what policy alone keeps closed, until their last second."""


@agreement.command(name="draft", epilog=EXIT_CODES)
@click.argument("file", required=False, type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.option("--example", is_flag=True, help="Print a draft to begin with.")
@out_option
@lang_option
@common.with_json
def draft(file: Path | None, out: Path | None, lang: Language, *, example: bool, as_json: bool) -> None:
    """Check the draft in FILE and say who would read what; nobody else sees it."""
    if example:
        click.echo(EXAMPLE, nl=False)
        return
    if file is None:
        raise click.UsageError("Give a FILE, or --example.")
    text = _text(file)

    def keep(device: Device) -> tuple[AgreementRow, list[Gain], list[Change], Pack, bytes]:
        found = device.agreements
        row = found.draft(text)
        return row, found.gains(row.id), found.simulate(row.id, "signed"), device.pack, found.file_of(row.id)

    row, gained, changes, pack, data = common.reading(keep)
    if out is not None:
        _write(out, data)
    if as_json:
        common.print_json(_shape(row, gained, pack) | {"changes": msgspec.to_builtins(changes)})
        return
    _show(row, gained, pack)
    for line in () if row.refused else said(changes, lang):
        click.echo(line)


@agreement.command(name="sign", epilog=EXIT_CODES)
@click.argument("what", metavar="ID|FILE")
@out_option
@common.with_json
def sign(what: str, out: Path | None, *, as_json: bool) -> None:
    """Sign an agreement for the own agency, by its ID or from a FILE.

    On a registrar's device it is in the directory at once; another supervisor's writes the signed terms to --out, for
    a registrar's device to sign from.
    """
    given: str | bytes = Path(what).read_bytes() if Path(what).is_file() else what

    async def act(device: Device) -> bytes | None:
        await device.sync()
        if out is None and not _registers(device):
            raise click.UsageError("This is no registrar's device: say with --out where the signed terms go.")
        signed = await device.agreements.sign(given)
        await device.sync()
        return signed

    signed = common.on_device(act)
    if signed is not None and out is not None:
        _write(out, signed)
    state = "in_directory" if signed is None else "to_registrar"
    say = "It is in the directory." if signed is None else f"Take {out} to a registrar's device, and `sign` it there."
    _done({"state": state}, say, as_json=as_json)


@agreement.command(name="list", epilog=EXIT_CODES)
@common.with_json
def list_agreements(*, as_json: bool) -> None:
    """List agreements and how they are, the one that ends first before; no network."""

    def known(device: Device) -> tuple[list[tuple[AgreementRow, list[Gain]]], Pack]:
        found = device.agreements
        return [(row, found.gains(row.id)) for row in found.rows()], device.pack

    rows, pack = common.reading(known)
    if as_json:
        common.print_json([_shape(*row, pack) for row in rows])
        return
    for row in rows:
        _show(*row, pack)


@agreement.command(name="end", epilog=EXIT_CODES)
@click.argument("agreement_id", metavar="ID")
@click.option("--suspend", "state", flag_value="suspended", help="For a while.")
@click.option("--resume", "state", flag_value="resumed", help="After a while.")
@click.option("--for-good", "state", flag_value="terminated", default=True, help="For good; without an option, too.")
@click.option("--dry-run", is_flag=True, help="Say who would lose or gain what, and change nothing.")
@lang_option
@common.with_json
def end(
    agreement_id: str,
    state: Literal["suspended", "terminated", "resumed"] | None,
    lang: Language,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """End the own part in an agreement, and say who loses what; what it opened is closed from that second on."""
    wanted = state or "terminated"

    async def act(device: Device) -> list[Change]:
        if dry_run:
            return device.agreements.simulate(agreement_id, wanted)
        await device.sync()
        changes = device.agreements.simulate(agreement_id, wanted)
        await device.agreements.end(agreement_id, wanted)
        await device.sync()
        return changes

    changes = common.on_device(act)
    row = {"id": agreement_id, "state": "" if dry_run else wanted, "changes": msgspec.to_builtins(changes)}
    lines = [*said(changes, lang)] if dry_run else [*said(changes, lang), f"The agreement is {wanted}."]
    _done(row, "\n".join(lines), as_json=as_json)


def _shape(row: AgreementRow, gained: list[Gain], pack: Pack) -> dict[str, Any]:
    refused = [
        {
            "rule": one.rule_id,
            "code": one.code,
            "why": one.why,
            "law": one.law,
            "say": {"en": one.say.en, "sv": one.say.sv},
            "instead": [
                {"code": way.code or None, "en": way.name.en, "sv": way.name.sv, "law": way.law}
                for way in one.alternatives
            ],
        }
        for one in row.refused
    ]
    found: dict[str, Any] = msgspec.to_builtins(row)
    times = {name: moment(found[name], pack).isoformat() for name in ("not_before", "not_after")}
    return {**found, **times, "refused": refused, "gains": msgspec.to_builtins(gained)}


def _show(row: AgreementRow, gained: list[Gain], pack: Pack) -> None:
    until = moment(row.not_after, pack).isoformat()
    signed = ", ".join(row.signed_by) or "nobody"
    click.echo(f"{row.id[:8]} {row.state:<12} until {until}  {row.purpose}")
    click.echo(f"  parties: {', '.join(row.parties)}; signed by {signed}; looked after by {row.owner}")
    click.echo(f"  opens {', '.join(row.parts)}")
    for gain in gained:
        click.echo(f"  {gain.reader} reads {', '.join(gain.parts)} of {gain.kind} of {gain.owner} by it")
    if not gained:
        click.echo("  nobody reads anything more by it")
    if row.warns is not None:
        click.echo(f"  ends in {row.days_left} days: {row.owner} has it renewed, or lets it end")
    for one in row.refused:
        click.echo(f"  {one.say.en}")


def _done(row: dict[str, Any], say: str, *, as_json: bool) -> None:
    if as_json:
        common.print_json(row)
    else:
        click.echo(say)


def _registers(device: Device) -> bool:
    return device.local.keys.kid in device.local.trust.own.registrars


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise Invalid("bad_agreement", "file", "Give a text in UTF-8.") from None


def _write(file: Path, data: bytes) -> None:
    try:
        with file.open("xb") as opened:
            opened.write(data)
    except FileExistsError:
        raise StoreError("store_exists", "out", "Choose another file; this one is there.") from None
    except OSError:
        raise StoreError("disk_full", "out", "The file cannot be written there.") from None
