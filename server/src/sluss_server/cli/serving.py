"""Commands that found a partnership and serve it: `found`, `serve`, `migrate`, `demo`."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Final

import msgspec
import rich_click as click

from sluss_schemas.ids import AGENCY_SECTORS, AGENCY_SLUGS
from sluss_schemas.invitation import write_code
from sluss_server import app
from sluss_server.cli.common import EXIT_CODES, print_json, settings, with_json
from sluss_server.datadir import NotRunnableError
from sluss_server.http import listener

_STORY: Final = Path("examples", "one_night_at_the_square.py")


@click.command(epilog=EXIT_CODES)
@click.argument("name")
@click.option(
    "--agency",
    "agencies",
    multiple=True,
    type=click.Choice(list(AGENCY_SECTORS)),
    help="An agency of the partnership; repeat it. The first one keeps the scenes. Without it: all five.",
)
@click.option("--server-url", help="The address that devices will use; it stands in every code.")
@with_json
def found(name: str, agencies: tuple[str, ...], server_url: str | None, *, as_json: bool) -> None:
    """Found a partnership and print one founding code for each agency.

    A code is used once, on the device that founds the agency; whoever has it can found it.
    """
    given = settings()
    slugs = tuple(dict.fromkeys(agencies)) or tuple(AGENCY_SLUGS.values())
    url = server_url or given.public_url or f"http://{given.host}:{given.port}"
    url = url.rstrip("/")
    partnership, codes = asyncio.run(app.found(given, name, url, [(slug, AGENCY_SECTORS[slug]) for slug in slugs]))
    rows = [(slug, write_code(code)) for slug, code in zip(slugs, codes, strict=True)]
    if as_json:
        print_json(
            {
                "partnership": partnership.hex(),
                "name": name,
                "server_url": url,
                "codes": [
                    {"agency": slug, "sector": AGENCY_SECTORS[slug], "registry": number == 0, "code": code}
                    for number, (slug, code) in enumerate(rows)
                ],
            }
        )
        return
    click.echo(f"{name} is founded. Give each agency its code; a code is used once.")
    for slug, code in rows:
        click.echo(f"{slug:<16} {code}")
    click.echo("Agencies pin this server's receipt key: `sluss backup FILE` keeps it with everything else.")


@click.command(epilog=EXIT_CODES)
@click.option("--host", help="Address to listen on, instead of SLUSS_HOST.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port, instead of SLUSS_PORT; 0 takes a free one.")
@with_json
def serve(host: str | None, port: int | None, *, as_json: bool) -> None:
    """Serve until SIGTERM or SIGINT; requests in progress are finished first.

    One line says when requests are answered, so that a program can wait for it.
    """
    given = settings()
    given = msgspec.structs.replace(given, host=host or given.host, port=given.port if port is None else port)
    bound = app.listen(given.host, given.port)
    url = listener.url_of(bound)

    def announce() -> None:
        click.echo(json.dumps({"listening": url}) if as_json else f"sluss listening on {url}")
        sys.stdout.flush()

    app.run(given, bound, announce)


@click.command(epilog=EXIT_CODES)
@with_json
def migrate(*, as_json: bool) -> None:
    """Bring the database's schema to this version; make a backup first."""
    before, after = asyncio.run(app.migrate(settings()))
    if as_json:
        print_json({"from": before, "to": after})
    else:
        click.echo(f"The schema is at {after}." if before == after else f"The schema went from {before} to {after}.")


@click.command(epilog=EXIT_CODES, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1)
@with_json
def demo(arguments: tuple[str, ...], *, as_json: bool) -> None:
    """Tell one night at the square, on a real server with real devices."""
    story = next((folder / _STORY for folder in Path(__file__).resolve().parents if (folder / _STORY).is_file()), None)
    # Only looked for: the server never imports what opens a section.
    if story is None or importlib.util.find_spec("sluss_client") is None:
        say = "Run `make demo` in a copy of the repository; the story needs the devices' package, which is not here."
        raise NotRunnableError("demo_missing", say)
    if as_json:
        print_json({"story": str(story)})
        return
    os.execv(sys.executable, [sys.executable, str(story), *arguments])  # noqa: S606  # our own file, no shell
