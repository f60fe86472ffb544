"""`sluss-device`: the command line of one staff device.

For: registrars, scripts, and whoever looks for what is wrong; the field app is for the square.
Refuses to show a trace or what a person wrote: a refusal is one line on standard error.

Exit codes: 0 done; 1 refused or failed; 2 the command was not understood; 3 offline, and what was filed is safe.
Source: docs/contract.md, "Command lines".
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import rich_click as click
import stamina
from click.exceptions import Abort, UsageError

from sluss_client.cli import (
    afterwards,
    agreements,
    auditing,
    cases,
    common,
    desk,
    disclosing,
    disputing,
    filing,
    identity,
    ledger,
    looking,
    objectives,
    packs,
    people,
    quarantine,
    recovery,
    registrars,
    scenes,
    stock,
)
from sluss_client.cli.common import DONE, EXIT_CODES, NOT_UNDERSTOOD, REFUSED
from sluss_client.cli.doctor import doctor
from sluss_client.errors import SlussError


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.version_option(package_name="sluss-client", prog_name="sluss-device", message="%(prog)s %(version)s")
@click.option(
    "--store",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="SLUSS_STORE",
    help="Where this device's store is; without it or SLUSS_STORE in the user's data folder.",
)
@click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file with the passphrase; without it or SLUSS_PASSPHRASE it is asked for.",
)
@click.pass_context
def cli(context: click.Context, store: Path | None, passphrase_file: Path | None) -> None:
    """One staff device: file without network, sync, and read what this person may read."""
    context.obj = common.Place(store or common.default_store(), passphrase_file)


for command in (
    identity.enrol,
    identity.root,
    registrars.invite,
    registrars.change,
    registrars.suspend,
    registrars.resume,
    registrars.revoke,
    registrars.leave,
    registrars.rotate,
    registrars.custodians,
    registrars.registrar,
    registrars.peer,
    registrars.restored,
    people.people,
    auditing.audit,
    agreements.agreement,
    packs.pack,
    scenes.scenes,
    objectives.objectives,
    stock.stock,
    filing.file,
    filing.sync,
    filing.outbox,
    filing.import_csv,
    looking.list_reports,
    looking.show,
    ledger.ledger,
    ledger.log,
    looking.readers,
    looking.explain,
    looking.extract,
    looking.held,
    looking.inspect,
    disclosing.offers,
    disclosing.disclose,
    disclosing.disclosures,
    disclosing.release,
    disputing.received,
    disputing.dispute,
    disputing.settle,
    disputing.disputes,
    afterwards.proposals,
    afterwards.approve,
    afterwards.recall,
    afterwards.recalls,
    afterwards.review,
    *cases.COMMANDS,
    desk.desk,
    quarantine.quarantine,
    quarantine.countersign,
    recovery.recover,
    doctor,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process."""
    # A retry is no news to whoever waits for the command, and would spoil its JSON.
    stamina.instrumentation.set_on_retry_hooks(())
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; whatever goes wrong becomes one line."""
    as_json = "--json" in arguments
    try:
        # What a command raised as `Exit` comes back as a number.
        code = cli.main(args=arguments, prog_name="sluss-device", standalone_mode=False)
    except UsageError as wrong:
        where = wrong.ctx.command_path if wrong.ctx else "sluss-device"
        say = f"{wrong.format_message()} See `{where} --help`."
        return common.refuse("usage", "", say, NOT_UNDERSTOOD, as_json=as_json)
    except (Abort, KeyboardInterrupt):
        return REFUSED
    except SlussError as wrong:
        return common.refusal(wrong, as_json=as_json)
    except BrokenPipeError:
        # Whoever read our output has read enough; nothing is left to be flushed to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except Exception as error:  # noqa: BLE001  # the last place that can still keep a trace, and what it quotes, in
        return common.refuse("internal", "", _fault(error), as_json=as_json)
    return code if isinstance(code, int) else DONE


def _fault(error: Exception) -> str:
    """Return where a fault of the program is, without anything that it quotes."""
    trace = error.__traceback__
    at = ""
    while trace is not None:
        at = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"This is a fault of the program: {type(error).__name__} at {at}."
