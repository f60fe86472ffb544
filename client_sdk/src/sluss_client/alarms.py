"""Every alarm that a device can raise: a stable code, and one sentence that says what it means and what to do.

An alarm is about something that was kept out or did not come; nobody has to act at once, because nothing was believed.
Some are about what did not go out: a task whose time is over, a duty that nobody can receive, or one that waits in
quarantine. They stay until somebody has answered it, or it is out.
It names no content: a code, and the digest or feed that it is about.
Source: docs/threat-model.md, "What a server that lies can and cannot do".

> INVARIANT: a code once released keeps its meaning; a new meaning gets a new code.
"""

from __future__ import annotations

from typing import Final

from sluss_schemas.problems import CATALOGUE
from sluss_schemas.sync import OutcomeCode

_HOST: Final = "tell a registrar, who asks the host."
_AUTHOR: Final = "tell a registrar, who asks the author."

ALARMS: Final[dict[str, str]] = {
    # what a server left out, moved or made up
    "feed_gap": f"The server left out entries of a feed; it is asked again at every sync. If it goes on, {_HOST}",
    "feed_rewound": f"The server went back in a feed; nothing of it was taken in. If it goes on, {_HOST}",
    "feed_foreign": f"The server gave a feed that is not this device's; nothing of it was taken in. Also {_HOST}",
    "feed_closed": f"The server says that a feed is not this device's any more, and the directory says it is: {_HOST}",
    "withheld": f"The server does not give what it has to give; it is asked again. If it goes on, {_HOST}",
    "entry_differs": f"The server gave one report under the name of another; it is asked again. Also {_HOST}",
    "entry_repeated": f"The server gave an old report in the place of a new one; it is asked again. Also {_HOST}",
    "malformed_put": f"A delivery could not be read; it is asked for again. If it goes on, {_HOST}",
    "heads_missing": f"The server does not say with which directories a report was sealed; {_HOST}",
    "section_differs": f"A part of a report was swapped; the report was kept out. Also {_HOST}",
    "facts_differ": f"The scene of a report was changed; the report was kept out. Also {_HOST}",
    # what somebody owed
    "task_overdue": "A duty or a review was not answered in its time: see `sluss-device tasks`, and answer it now.",
    "duty_unreachable": (
        "Nobody in this partnership can receive a duty to tell: telephone the receiver now, and record it with "
        "`sluss-device told`. It leaves by itself once somebody can receive it."
    ),
    "duty_in_quarantine": (
        "A duty to tell waits in quarantine (`sluss-device outbox`, for supervisors `sluss-device quarantine`): "
        "telephone the receiver now, and have a supervisor countersign it."
    ),
    # the own agency's ledger
    "feed_withheld": f"The server's ledger has more of a feed than the server gave; it is asked again. Also {_HOST}",
    "ledger_fork": f"The server signed two ledgers of this agency that contradict each other: {_HOST}",
    "ledger_rewound": f"The server's ledger of this agency went back, or stands still: {_HOST}",
    "ledger_unproven": f"What the server says of the agency's ledger does not hold together; if it goes on, {_HOST}",
    # directories
    "directory_fork": (
        "Somebody sealed with another history of a directory than the one here. "
        "Nothing is sealed on this device until a registrar has compared both."
    ),
    "directory_withheld": (
        "Somebody sealed with a newer directory than the server gives to this device. "
        f"Nothing is sealed until it is here; if it goes on, {_HOST}"
    ),
    "directory_ahead": (
        "Somebody sealed with a newer directory than the restored server has; "
        "a device of that agency has to sync, to give it back."
    ),
    "directory_lost": f"The server lacks entries of a directory that are here, and says nothing of a restore: {_HOST}",
    "unannounced_restore": "The server says that it was restored; a registrar has to confirm it with `restored`.",
    "clock_disputed": "The server's time cannot be right, or this device's is far off: set the clock, then sync.",
    # keys
    "unknown_agency": "A report of an agency that the own one does not pin was kept out; a registrar can pin it.",
    "unknown_signer": f"A report was signed with a key that its agency's directory does not have; {_HOST}",
    "epoch_not_current": f"A report was made with a key that was not in force in its directories; {_HOST}",
    "old_epoch": f"A report was made lately with a key that is out of force, as by somebody who left; {_HOST}",
    "bad_epoch_wrap": f"A key for this device does not open; a colleague's device makes another. If not, {_HOST}",
    "epoch_differs": f"A key for this device is not the one in the directory; it was not taken. Also {_HOST}",
    "left_out": f"A key that was made for this device does not come; if it goes on, {_HOST}",
    "bad_share": "A custodian's share for this device is not the one in the directory; split the key again.",
    "bad_roster": "The list of names could not be read; a registrar's device makes another at its next sync.",
    # what an author sealed, or somebody on the way changed
    "cannot_open": f"A report does not open with the keys here; one may be on its way. If it goes on, {_AUTHOR}",
    "malformed_seal": f"A report was sealed wrongly and kept out; {_AUTHOR}",
    "commitment_differs": f"A report's seal is not the one that was signed; it was kept out. Also {_AUTHOR}",
    "malformed_section": f"A part of a report could not be read; the report was kept out. Also {_AUTHOR}",
    "kind_differs": f"A report says two kinds of itself; it was kept out. Also {_AUTHOR}",
    "unknown_author": f"A report names an author that its agency does not have; it was kept out. Also {_AUTHOR}",
    "another_author": f"A report was signed by another device than it says; it was kept out. Also {_AUTHOR}",
    "grant_of_another_report": f"A permission is for another report than the one it came with; {_HOST}",
    "bad_grant_signature": f"A permission was not signed by the agency that owns the report; {_HOST}",
    "grant_not_allowed": f"A permission rests on no ground of the policy pack as it is written; {_AUTHOR}",
    "grant_too_early": f"A permission came before its time and was kept out; it is asked again. If it goes on, {_HOST}",
    "malformed_record": f"A case record could not be read; it is asked for again. If it goes on, {_HOST}",
    "record_not_allowed": f"A case record was filed by somebody who may not file it; it was kept out. Also {_AUTHOR}",
    "wider_than_the_grant": f"A permission opens more than it says; the report was kept out. Also {_AUTHOR}",
}
"""Stable code: what it means and what to do."""

_OTHER: Final = (
    "Something that was delivered is not of the form that the protocol gives, and was kept out. "
    "Sync again; if it goes on, tell a registrar."
)


_KNOWN: Final = ALARMS.keys() | CATALOGUE.keys() | {str(code) for code in OutcomeCode}


def known(code: str) -> str:
    """Return a code as it is kept: one that only a server made up is `server_error`."""
    return code if code in _KNOWN else "server_error"


def say(code: str) -> str:
    """Return the sentence of an alarm; a refusal's code from `problems.CATALOGUE` has one for all."""
    return ALARMS.get(code, _OTHER)
