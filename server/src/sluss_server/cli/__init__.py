"""`sluss`: the server's command line.

For: an operator and for scripts: found a partnership, serve it, keep it safe, and read a policy pack.
Refuses to show a trace: a refusal is one line on standard error with a code and what to do, and with `--json` one
object.

Exit codes: 0 done; 1 refused, or a check failed; 2 the command was not understood.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import rich_click as click
from click.exceptions import Abort, UsageError

from sluss_schemas.problems import SlussError
from sluss_server import logs
from sluss_server.cli import keeping, ledger, packs, serving
from sluss_server.cli.common import DONE, EXIT_CODES, NOT_UNDERSTOOD, REFUSED, refuse
from sluss_server.cli.doctor import examine
from sluss_server.clock import Clock
from sluss_server.datadir import NotRunnableError


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.version_option(package_name="sluss-server", prog_name="sluss", message="%(prog)s %(version)s")
def cli() -> None:
    """The Sluss server: it stores, routes and decides, and cannot read."""


for command in (
    serving.found,
    serving.serve,
    serving.migrate,
    keeping.backup,
    keeping.restore,
    examine,
    packs.pack,
    ledger.ledger,
    serving.demo,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(_run(given))


def _run(arguments: list[str]) -> int:
    """Run one command and return its exit code; whatever goes wrong becomes one line."""
    as_json = "--json" in arguments
    try:
        logs.configure("warning", Clock())
        result = cli.main(args=arguments, prog_name="sluss", standalone_mode=False)
    except UsageError as wrong:
        where = wrong.ctx.command_path if wrong.ctx else "sluss"
        return refuse("usage", f"{wrong.format_message()} See `{where} --help`.", NOT_UNDERSTOOD, as_json=as_json)
    except (Abort, KeyboardInterrupt):
        return REFUSED
    except SlussError as refusal:
        field = f"{refusal.field}: " if refusal.field else ""
        return refuse(refusal.code, field + refusal.say, as_json=as_json)
    except NotRunnableError as refusal:
        return refuse(refusal.code, refusal.say, as_json=as_json)
    except BrokenPipeError:
        # Whoever read our output has read enough; nothing is left to be flushed to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except Exception as error:  # noqa: BLE001  # the last place that can still keep a trace, and what it quotes, in
        told = logs.fault(error)
        say = f"This is a fault of the program: {told['type']} at {told['at'] or told['raised']}."
        return refuse("internal", say, as_json=as_json)
    # A command that ends with `Exit` hands its code back this way; one that simply ends hands back nothing.
    return result if isinstance(result, int) else DONE
