"""What a page says when it cannot be shown: by the problem's code, in both languages, and never more than that.

> INVARIANT: nothing of the request and nothing of the fault stands in the page; the request id leads to the log.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sluss_schemas.problems import SlussError
from sluss_server.web.panels.base import mark


class Fault(NamedTuple):
    """What went wrong and what to do, as English texts of the catalogue.

    `back` offers the overview's first page: no use to whoever is not signed in.
    """

    title: str
    say: str
    back: bool = True


_SIGN_IN: Final = mark(
    "Open the overview from your own device: the command sluss-device desk opens it. "
    "An address that somebody sent you shows nothing by itself."
)
_OTHER: Final = Fault(
    mark("This cannot be shown"), mark("The address or what was sent with it is not what this server expects.")
)
_FAULTS: Final[dict[tuple[str, str], Fault]] = {
    ("not_found", "week"): Fault(
        mark("There is no such week"), mark("Choose a week up to this one; addresses name it as in 2026-W06.")
    ),
    ("not_found", "month"): Fault(
        mark("There is no such month"), mark("Choose a month up to this one; addresses name it as in 2026-02.")
    ),
    ("not_found", "months"): Fault(
        mark("There are not so many months"), mark("A file has from 1 to 36 months; the address names how many.")
    ),
    ("not_found", "scene"): Fault(
        mark("There is no such scene"), mark("Choose a scene of the registry, or look at all of them.")
    ),
    ("not_found", "kind"): Fault(
        mark("There is no such kind"), mark("Choose a kind of report that is counted, or look at all of them.")
    ),
    ("not_found", "lang"): Fault(mark("There is no such language"), mark("The overview is in Swedish and English.")),
    ("not_found", "theme"): Fault(
        mark("There are no such colours"), mark("Choose light, dark, or as the browser has it.")
    ),
}
_BY_CODE: Final[dict[str, Fault]] = {
    "not_found": Fault(mark("There is no such page"), mark("The address is wrong, or the page has moved.")),
    "not_signed_in": Fault(mark("You are not signed in"), _SIGN_IN, back=False),
    "session_ended": Fault(
        mark("Your session has ended"),
        mark(
            "It ends after half an hour without use, after ten hours, and at once when the device or the right "
            "to supervise is taken back. Open the overview from your device again."
        ),
        back=False,
    ),
    "link_used": Fault(
        mark("This link is no longer good"),
        mark(
            "Each link signs in one browser, once, within a minute. Ask your device for a new one. "
            "If you did not use it yourself, tell a registrar: somebody else did."
        ),
        back=False,
    ),
    "cross_site": Fault(
        mark("This was not sent from our own page"),
        mark("Press the button on the page itself. A browser that hides where a request comes from cannot sign in."),
        back=False,
    ),
    "internal": Fault(
        mark("Something went wrong here"),
        mark("Try again; if it goes on, give the operator the time and the number below."),
    ),
    "overloaded": Fault(mark("Too much at once"), mark("Try again in a moment; nothing was lost.")),
}


def fault_of(refusal: SlussError) -> Fault:
    """Return what a page says about a refusal."""
    return _FAULTS.get((refusal.code, refusal.field)) or _BY_CODE.get(refusal.code) or _OTHER
