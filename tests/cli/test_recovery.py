"""`sluss-device recover` where there is nothing to recover from.

A whole recovery is in tests/device/test_recovery.py, and in the sequences of docs/operating.md.
"""

from __future__ import annotations

import pytest

from tests.cli.conftest import Partnership
from tests.cli.terminal import PASSPHRASE, inside


def test_without_custodians_the_status_says_so_and_what_is_not_split(partnership: Partnership) -> None:
    found = partnership.security.json("recover", "status")

    assert found["custodians"] == []
    assert [(one["function"], one["epoch"], one["split"], one["held"]) for one in found["epochs"]] == [
        ("field", 1, False, True),
        ("supervisors", 1, False, True),
    ]
    assert "no_custodians" in partnership.security.ok("recover", "status").out


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("recover",), 1, "no_custodians"),
        (("recover", "--drill"), 1, "no_custodians"),
        (("recover", "give", "S-1"), 1, "custodian_only"),
        (("recover", "give", "S-99"), 1, "unknown_alias"),
        (("recover", "--drill", "status"), 2, "usage"),
        (("recover", "give"), 2, "usage"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    partnership: Partnership, arguments: tuple[str, ...], code: int, error: str
) -> None:
    result = inside(partnership.security.store, PASSPHRASE, arguments)

    assert (result.code, result.error, result.out) == (code, error, "")
