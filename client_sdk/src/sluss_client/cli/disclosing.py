"""Commands of whoever decides: what may be disclosed, to disclose, to release what was kept back, what became of it.

What leaves is said before it is asked whether it may; a script says `--yes`.
Refuses: as the device does; each refusal names the test, reason or part that is missing.

> INVARIANT: nothing is decided here that was not shown first, in the words of the ground.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import rich_click as click
from click.exceptions import Abort

from sluss_client.cli import common
from sluss_client.cli.common import EXIT_CODES
from sluss_client.cli.filing import pair
from sluss_client.device import Device
from sluss_client.disclosing.answers import Disclosure, Offer
from sluss_client.errors import Invalid
from sluss_client.views import moment
from sluss_schemas.policy.model import Pack
from sluss_schemas.policy.readers import Language

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "closed": ("not open", "inte öppen"),
    "over_age": ("the person is too old", "personen är för gammal"),
    "age_unknown": ("nothing bounds the age", "åldern är inte känd"),
    "not_yours": ("decided by {}", "beslutas av {}"),
    "approval": ("approved by {}", "godkänns av {}"),
    "consent": ("needs a recorded consent", "kräver ett antecknat samtycke"),
    "longest": ("at most {} hours", "högst {} timmar"),
    "parts": ("parts", "delar"),
    "offence": ("the offence", "brottet"),
    "attempt": ("or an attempt", "eller försök"),
    "written": ("write why", "skriv varför"),
    "gives": ("{} gets {} by {} ({})", "{} får {} enligt {} ({})"),
    "sure": ("Disclose it?", "Lämna ut?"),
    "release": (
        "Everybody whom the policy lets read {} will get it.",
        "Alla som får läsa {} enligt regelverket får den.",
    ),
    "recall": ("Its receivers' devices let go of {}.", "Mottagarnas enheter släpper {}."),
    "kept": ("decided; sync to send it", "beslutat; synka för att skicka"),
}
lang_option = click.option("--lang", type=click.Choice(["en", "sv"]), default="en", help="The language of the output.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def say(lang: Language, word: str, *values: object) -> str:
    """Return one of the command's sentences."""
    return _WORDS[word][lang == "sv"].format(*values)


def sure(lang: Language, *, yes: bool, what: str) -> None:
    """Show what will happen and ask, unless it was said already."""
    if yes:
        return
    click.echo(what, err=True)
    if not click.confirm(say(lang, "sure"), err=True):
        raise Abort


def id_of(text: str, field: str) -> bytes:
    """Return the bytes of an id as lists show it; `Invalid` `wrong_type`."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Invalid("wrong_type", field, "Give the id as the list shows it.") from None


def when(at: int | None, pack: Pack) -> str | None:
    """Return a time in the pack's zone, as JSON has it."""
    return None if at is None else moment(at, pack).isoformat()


def _zoned(given: datetime | None, pack: Pack) -> datetime | None:
    """Return a time as given, in the pack's zone where it names none."""
    if given is None or given.tzinfo is not None:
        return given
    zone = moment(0, pack).tzinfo
    return given.replace(tzinfo=zone)


time_format: Final = click.DateTime(["%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%z"])


@click.command(epilog=EXIT_CODES)
@click.argument("report_id", metavar="ID")
@lang_option
@common.with_json
def offers(report_id: str, lang: Language, *, as_json: bool) -> None:
    """List the grounds on which parts of a report may be disclosed, and what each asks; no network."""
    found = common.reading(lambda device: device.offers(report_id))
    if as_json:
        common.print_json([_offer(one) for one in found])
        return
    for one in found:
        click.echo(f"{one.agency:<16} {one.code} {one.sv if lang == 'sv' else one.en} ({'; '.join(one.law)})")
        click.echo(f"  {say(lang, 'parts')}: {', '.join(one.compartments)}")
        for line in _conditions(one, lang):
            click.echo(f"  {line}")
        for test in one.tests:
            written = f" [{say(lang, 'written')}]" if test.written else ""
            click.echo(f"  --affirm {test.code}: {test.sv if lang == 'sv' else test.en}{written}")
        for offence in one.offences:
            attempt = f" [{say(lang, 'attempt')}: --attempt]" if offence.attempt else ""
            click.echo(f"  --offence {offence.code}: {offence.sv if lang == 'sv' else offence.en}{attempt}")


def _conditions(one: Offer, lang: Language) -> list[str]:
    found = []
    if one.excluded:
        found.append(f"{say(lang, 'closed')}: {say(lang, one.excluded)}")
    if not one.may_decide:
        found.append(say(lang, "not_yours", one.decides))
    if one.approval != "none":
        found.append(say(lang, "approval", one.approval))
    if one.consent:
        found.append(say(lang, "consent"))
    if one.max_hours is not None:
        found.append(say(lang, "longest", one.max_hours))
    return found


def _offer(one: Offer) -> dict[str, Any]:
    tests = [{"code": test.code, "en": test.en, "sv": test.sv, "written": test.written} for test in one.tests]
    names = (
        "agency", "code", "en", "sv", "duty", "decides", "may_decide", "max_hours", "approval", "consent",
        "review_hours",
    )  # fmt: skip
    rest = {"law": list(one.law), "compartments": list(one.compartments), "excluded": one.excluded or None}
    offences = [{"code": each.code, "en": each.en, "sv": each.sv, "attempt": each.attempt} for each in one.offences]
    return {name: getattr(one, name) for name in names} | rest | {"tests": tests, "offences": offences}


@click.command(epilog=EXIT_CODES)
@click.argument("report_id", metavar="ID")
@click.option("--gateway", required=True, metavar="CODE", help="The ground, as `offers` lists it.")
@click.option("--to", multiple=True, metavar="ALIAS", help="Who gets it, as `people` lists them; repeat it.")
@click.option("--part", "parts", multiple=True, metavar="NAME", help="A part of the report; repeat it.")
@click.option("--keep", multiple=True, metavar="PART=FIELD", help="Give only these fields of a part; repeat it.")
@click.option("--affirm", multiple=True, metavar="CODE", help="Affirm a precondition; repeat it.")
@click.option("--reason", "reasons", multiple=True, metavar="CODE=TEXT", help="Why, where it has to be written.")
@click.option("--until", type=time_format, help="An earlier end than the ground's, such as 2026-02-03T21:40.")
@click.option("--consent", metavar="ID", help="The recorded consent that it rests on.")
@click.option("--offence", default="", metavar="CODE", help="The offence, where the ground asks for one.")
@click.option("--attempt", is_flag=True, help="It is only the offence's attempt, preparation or conspiracy.")
@yes_option
@lang_option
@common.with_json
def disclose(  # noqa: PLR0913  # its options
    report_id: str,
    gateway: str,
    *,
    to: tuple[str, ...],
    parts: tuple[str, ...],
    keep: tuple[str, ...],
    affirm: tuple[str, ...],
    reasons: tuple[str, ...],
    until: datetime | None,
    consent: str | None,
    offence: str,
    attempt: bool,
    lang: Language,
    yes: bool,
    as_json: bool,
) -> None:
    """Decide that named persons get parts of a report; it leaves with the next sync."""
    excerpt: dict[str, list[str]] = {}
    for part, name in (pair(one, "--keep") for one in keep):
        excerpt.setdefault(part, []).append(name)

    async def whole(device: Device) -> tuple[Disclosure, Pack]:
        pack = device.pack
        ground = pack.gateways.get(gateway)
        if ground is not None:
            name, law = (ground.sv if lang == "sv" else ground.en), "; ".join(ground.law)
            shown = say(lang, "gives", ", ".join(to) or "-", ", ".join(parts), f"{gateway} {name}", law)
            tests = [
                f"  {test.code}: {test.sv if lang == 'sv' else test.en}" for test in ground.tests if test.code in affirm
            ]
            if offence in pack.offences:
                named = pack.offences[offence]
                tests.append(f"  {say(lang, 'offence')}: {named.sv if lang == 'sv' else named.en}")
            sure(lang, yes=yes, what="\n".join([shown, *tests]))
        made = await device.disclose(
            report_id,
            gateway,
            to=to,
            compartments=parts,
            tests=dict.fromkeys(affirm, True),
            reasons=dict(pair(one, "--reason") for one in reasons),
            until=_zoned(until, pack),
            excerpt=excerpt,
            consent=None if consent is None else id_of(consent, "consent"),
            offence=offence,
            attempt=attempt,
        )
        return made, pack

    _print_made(*common.on_device(whole), lang, as_json=as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("report_id", metavar="ID")
@click.option("--at", type=time_format, help="Not before this time, such as 2026-02-03T06:00; at once without it.")
@yes_option
@lang_option
@common.with_json
def release(report_id: str, at: datetime | None, lang: Language, *, yes: bool, as_json: bool) -> None:
    """Let a report that was kept back go to everybody to whom the policy opens it."""

    async def whole(device: Device) -> tuple[Disclosure, Pack]:
        sure(lang, yes=yes, what=say(lang, "release", report_id))
        return await device.release(report_id, _zoned(at, device.pack)), device.pack

    _print_made(*common.on_device(whole), lang, as_json=as_json)


def _print_made(made: Disclosure, pack: Pack, lang: Language, *, as_json: bool) -> None:
    if as_json:
        common.print_json(_disclosure(made, pack))
        return
    click.echo(f"{made.id.hex()}  {say(lang, 'kept')}")


@click.command(epilog=EXIT_CODES)
@common.with_json
def disclosures(*, as_json: bool) -> None:
    """List what this person decided and what became of it, newest first; no network."""
    rows = common.reading(lambda device: [_disclosure(one, device.pack) for one in device.disclosures()])
    if as_json:
        common.print_json(rows)
        return
    for row in rows:
        reason = ": ".join(part for part in (row["reason"], row["field"]) if part)
        click.echo(
            f"{row['decided_at']}  {row['state']:<9} {row['gateway']:<4} {', '.join(row['compartments'])} -> "
            f"{', '.join(row['to'])}  {row['id']}  {reason}".rstrip()
        )


def _disclosure(one: Disclosure, pack: Pack) -> dict[str, Any]:
    return {
        "id": one.id.hex(),
        "report": one.report_id.hex(),
        "version": one.version,
        "gateway": one.gateway,
        "to": list(one.to),
        "compartments": list(one.compartments),
        "state": one.state,
        "decided_at": when(one.decided_at, pack),
        "not_before": when(one.not_before, pack),
        "until": when(one.until, pack),
        "review_by": when(one.review_by, pack),
        "reason": one.reason or None,
        "field": one.field or None,
    }
