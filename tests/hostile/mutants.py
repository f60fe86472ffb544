"""Checks that a device makes, each taken out once: the tests of attacks that must then fail.

A row is a name, the module, the source as it stands there (once), what stands instead, and the tests.
Whoever changes one of these lines changes its row with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from tests.conftest import ROOT

CLIENT: Final = "client_sdk/src/sluss_client"
SCHEMAS: Final = "schemas/src/sluss_schemas"
FEEDS: Final = "test_feeds.py::test_a_page_that_does_not_follow_is_refused_whole_and_comes_once_the_server_is_honest"
PUTS: Final = "test_feeds.py::test_a_delivery_that_was_changed_is_kept_out_and_comes_once_the_server_is_honest"
SIGNED: Final = "test_directories.py::test_what_nobody_with_the_right_signed_is_refused_and_nothing_is_sealed_to_it"
MOVED: Final = "test_directories.py::test_entries_that_are_moved_or_left_out_are_named_and_nothing_is_sealed"
WRAPS: Final = (
    "test_keys.py::test_a_key_that_is_not_the_directorys_is_not_taken_and_nothing_is_signed_or_sealed_with_it"
)
PROPOSED: Final = "test_keys.py::test_a_registrars_device_signs_no_epoch_that_no_member_made_for_the_members"
RECEIPTS: Final = "test_words.py::test_a_forged_receipt_is_named_and_the_report_stays_in_the_outbox"
TIMES: Final = "test_words.py::test_a_time_that_cannot_be_is_named_and_moves_nothing"
REVOKED: Final = "test_words.py::test_a_device_that_is_only_said_to_be_revoked_forgets_nothing"
LEFT: Final = "test_old_keys.py::test_a_report_dated_back_by_somebody_who_left_is_named_and_not_taken_in"


class Mutant(NamedTuple):
    """One check taken out; `tests` are in this folder."""

    name: str
    module: str
    source: str
    instead: str
    tests: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The module's file."""
        return ROOT / self.module


MUTANTS: Final = (
    # what an entry of a directory must be
    Mutant(
        "a registrar may do what the root may",
        f"{SCHEMAS}/replay.py",
        "if kind not in root_only and (key",
        "if (key",
        (f"{SIGNED}[a registrar-the registrar's key]",),
    ),
    Mutant(
        "an entry's signature",
        f"{SCHEMAS}/replay.py",
        "verify(self._signer(signed.signer, kind, body, at), signed.signature, d.entry_message(signed.entry), at)",
        "self._signer(signed.signer, kind, body, at)",
        (f"{MOVED}[a signature swapped]",),
    ),
    Mutant(
        "the entry before",
        f"{SCHEMAS}/replay.py",
        "or entry.seq != self.seq + 1 or entry.prev != self.hash:",
        "or entry.seq != self.seq + 1:",
        ("test_directories.py::test_a_registrars_entry_that_follows_another_one_is_refused",),
    ),
    Mutant(
        "the number of an entry",
        f"{SCHEMAS}/replay.py",
        "or entry.seq != self.seq + 1 or entry.prev != self.hash:",
        "or False:",
        (f"{MOVED}[one in the middle is left out]",),
    ),
    Mutant(
        "a removed registrar",
        f"{SCHEMAS}/replay.py",
        "if self.registrars.pop(Kid(body.kid), None) is None:",
        "if self.registrars.get(Kid(body.kid), None) is None:",
        ("test_histories.py::test_who_knows_of_the_removal_believes_nothing_that_was_signed_after_it",),
    ),
    Mutant(
        "for whom an epoch was wrapped",
        f"{SCHEMAS}/replay.py",
        "if body.devices != tuple(sorted(audience.members)):",
        "if False:",
        (f"{SIGNED}[a key for others than the members-the registrar's key]",),
    ),
    # which directories are believed
    Mutant(
        "a chain with a gap",
        f"{CLIENT}/trust.py",
        "if first > chain.seq + 1:",
        "if False:",
        (f"{MOVED}[the first is left out]",),
    ),
    Mutant(
        "entries before a bad one",
        f"{CLIENT}/trust.py",
        "Directory() if known is None else known.copy()",
        "Directory() if known is None else known",
        (f"{MOVED}[a signature swapped]",),
    ),
    Mutant(
        "the partnership of a chain",
        f"{CLIENT}/trust.py",
        "if chain.agency != agency or chain.genesis.partnership != self.partnership:",
        "if chain.agency != agency:",
        ("test_directories.py::test_another_partnerships_chain_is_refused",),
    ),
    Mutant(
        "the pin of a peer",
        f"{CLIENT}/trust.py",
        "return chain if in_force and pinned_peer(self.own, chain) else None",
        "return chain",
        ("test_directories.py::test_an_agency_that_nobody_pinned_is_no_reader_and_no_author",),
    ),
    Mutant(
        "what the server says that it has more",
        f"{CLIENT}/syncing/noticing.py",
        "        elif head.seq > chain.seq:\n            yield WITHHELD, agency\n",
        "",
        (f"{MOVED}[the last is left out]",),
    ),
    Mutant(
        "what the server says that it has less",
        f"{CLIENT}/syncing/noticing.py",
        "            if said and not restored:",
        "            if False:",
        ("test_directories.py::test_entries_that_the_server_has_lost_without_a_restore_are_an_alarm_and_stay",),
    ),
    Mutant(
        "another history",
        f"{CLIENT}/syncing/noticing.py",
        "return head.seq <= chain.seq and chain.hashes[head.seq] != head.hash",
        "return False",
        (
            "test_histories.py::test_who_is_shown_another_history_learns_of_it_from_the_next_report_and_seals_nothing",
            "test_histories.py::test_who_reads_a_report_sealed_with_another_history_learns_of_it",
        ),
    ),
    Mutant(
        "a longer history",
        f"{CLIENT}/syncing/noticing.py",
        "if head is not None and head.seq > chain.seq:",
        "if False:",
        ("test_histories.py::test_a_hidden_revocation_is_noticed_and_nothing_more_is_sealed_to_what_was_lost",),
    ),
    Mutant(
        "the directories that a report was sealed with",
        f"{CLIENT}/syncing/noticing.py",
        'raise Alarm("heads_missing")',
        "return {}",
        ("test_feeds.py::test_the_directories_that_a_report_was_sealed_with_left_out_is_named",),
    ),
    Mutant(
        "that nothing is sealed to directories that others contradict",
        f"{CLIENT}/syncing/driver.py",
        "    if notes.contradiction(local) is None:\n",
        "    if True:\n",
        ("test_histories.py::test_a_hidden_revocation_is_noticed_and_nothing_more_is_sealed_to_what_was_lost",),
    ),
    Mutant(
        "that directories come before sealing",
        f"{CLIENT}/syncing/driver.py",
        "    await directories(local, transport)\n    for _ in range(_ROUNDS):\n        changed",
        "    for _ in range(_ROUNDS):\n        changed",
        ("test_histories.py::test_nothing_is_sealed_before_the_directories_of_the_very_sync_are_here",),
    ),
    Mutant(
        "a restore that nobody confirmed",
        f"{CLIENT}/syncing/notes.py",
        'local.alarm("unannounced_restore", _INSTANCE)',
        "pass",
        ("test_words.py::test_a_restore_that_no_registrar_confirmed_is_an_alarm_until_the_server_says_otherwise",),
    ),
    # feeds
    Mutant(
        "gaps of a feed",
        f"{CLIENT}/syncing/noticing.py",
        "if not follows or not precedes or position.seq != before.seq + len(page.entries)",
        "if False",
        (f"{FEEDS}[the first is left out]", f"{FEEDS}[in another order]"),
    ),
    Mutant(
        "the end of a feed",
        f"{CLIENT}/syncing/noticing.py",
        "or position.seq != before.seq + len(page.entries)",
        "",
        (f"{FEEDS}[the last is left out]", f"{FEEDS}[all are left out]"),
    ),
    Mutant(
        "old numbers of a feed",
        f"{CLIENT}/syncing/noticing.py",
        "if position.seq < before.seq or any(entry.seq <= before.seq for entry in page.entries):",
        "if False:",
        (f"{FEEDS}[numbered like old ones]",),
    ),
    Mutant(
        "a feed's generation",
        f"{CLIENT}/syncing/noticing.py",
        "if not renewed or position.generation < before.generation:",
        "if False:",
        (f"{FEEDS}[a feed that begins anew]",),
    ),
    Mutant(
        "whose a feed is",
        f"{CLIENT}/syncing/pulling.py",
        "            if not feeds.has(feed):\n                fault",
        "            if False:\n                fault",
        ("test_feeds.py::test_entries_of_another_agencys_device_are_not_taken_in",),
    ),
    Mutant(
        "what is said to be closed",
        f"{CLIENT}/syncing/pulling.py",
        "closed = tuple(feed for feed in sorted({*answer.closed, *cursor}) if not feeds.has(feed))",
        "closed = answer.closed",
        ("test_feeds.py::test_a_feed_that_is_said_to_be_closed_stays",),
    ),
    Mutant(
        "a feed twice in an answer",
        f"{CLIENT}/syncing/pulling.py",
        "elif feed in doubled:",
        "elif False:",
        (f"{FEEDS}[twice in one answer]",),
    ),
    Mutant(
        "the own reports' way back",
        f"{CLIENT}/syncing/pulling.py",
        "tally.alarms += notes.missed(",
        "0 and notes.missed(",
        ("test_feeds.py::test_an_own_report_that_does_not_come_back_is_named",),
    ),
    Mutant(
        "an old report in a new one's place",
        f"{CLIENT}/syncing/pulling.py",
        'raise reading.Alarm("entry_repeated")',
        "pass",
        ("test_feeds.py::test_an_old_report_in_the_place_of_a_new_one_is_named_and_the_new_one_comes",),
    ),
    Mutant(
        "the name of a report",
        f"{CLIENT}/syncing/pulling.py",
        "if opened.digest != entry.digest:",
        "if False:",
        (f"{PUTS}[the name of another report]",),
    ),
    Mutant(
        "that what was kept out is asked for again",
        f"{CLIENT}/syncing/driver.py",
        "    await pulling.ask_again(local, transport, tally)\n",
        "",
        (f"{PUTS}[sections left out]",),
    ),
    Mutant(
        "that a feed which went back is followed",
        f"{CLIENT}/syncing/pulling.py",
        "                notes.went_back(local, page.position, cursor.get(feed))\n",
        "",
        ("test_feeds.py::test_made_up_entries_do_not_hide_what_comes_after_them",),
    ),
    # deliveries
    Mutant(
        "a report's signature",
        f"{CLIENT}/reading.py",
        "verify(epoch.sign_key, put.signature, manifest.signature_message(digest))",
        "pass",
        (f"{PUTS}[the signature of another report]",),
    ),
    Mutant(
        "a section's digest",
        f"{CLIENT}/reading.py",
        "if hashlib.sha256(section).digest() != excerpts.get(number, document.slots[number]):",
        "if False:",
        (f"{PUTS}[a section changed]",),
    ),
    Mutant(
        "what a seal promises",
        f"{CLIENT}/reading.py",
        '            raise Alarm("withheld")\n        yield number',
        "            continue\n        yield number",
        (f"{PUTS}[a wrap left out]",),
    ),
    Mutant(
        "the seal that was signed for",
        f"{CLIENT}/reading.py",
        "if manifest.commitment(secret, bitmap) != promised:",
        "if False:",
        ("test_feeds.py::test_a_seal_of_its_own_that_promises_less_is_named",),
    ),
    Mutant(
        "the scene",
        f"{CLIENT}/reading.py",
        "if manifest.tier_digest(tier.salt, tier.tier) != document.facts[0]:",
        "if False:",
        (f"{PUTS}[the scene of another place]",),
    ),
    Mutant(
        "what is held back, and from whom",
        f"{CLIENT}/reading.py",
        '            return epoch\n    raise Alarm("withheld")',
        "            return epoch\n    return next(iter(trust.own.by_sign_kid.values()))",
        (f"{PUTS}[said to be held back]",),
    ),
    # time
    Mutant(
        "keys in force",
        f"{CLIENT}/syncing/noticing.py",
        "(agency not in heads or not keys.current_at(heads[agency].seq))",
        "agency not in heads",
        ("test_old_keys.py::test_a_report_that_says_it_was_sealed_now_with_a_key_of_then_is_named",),
    ),
    Mutant(
        "the recipient's key in force",
        f"{CLIENT}/syncing/noticing.py",
        "for keys, agency in ((opened.signer, opened.agency), (sealed_to, own)):",
        "for keys, agency in ((opened.signer, opened.agency),):",
        ("test_noticing.py::test_a_version_is_made_by_keys_that_were_in_force_in_its_directories",),
    ),
    Mutant(
        "a grant's key out of force",
        f"{CLIENT}/syncing/noticing.py",
        "made = opened.signer if opened.granter is None else opened.granter",
        "made = None if opened.granter is not None else opened.signer",
        ("test_noticing.py::test_what_arrives_as_new_was_made_with_no_key_that_was_out_of_force_before[granter]",),
    ),
    Mutant(
        "keys out of force",
        f"{CLIENT}/syncing/noticing.py",
        "if closed_before is not None and _closed(keys, closed_before):",
        "if False:",
        (f"{LEFT}[police]",),
    ),
    Mutant(
        "keys out of force under cover of a restore",
        f"{CLIENT}/syncing/pulling.py",
        "closed_before = taking.closed_before if again else None",
        "closed_before = None",
        ("test_old_keys.py::test_a_report_dated_back_under_cover_of_a_restore_is_named",),
    ),
    Mutant(
        "a time that cannot be",
        f"{CLIENT}/transport.py",
        "return not newest or abs(said - own) <= _MOST_OFFSET_S or own < newest <= said",
        "return True",
        (f"{TIMES}[a year back]",),
    ),
    # keys
    Mutant(
        "a key that is the directory's",
        f"{CLIENT}/local.py",
        "if not matches(held, audience.epochs[held.epoch - 1]):",
        "if False:",
        (f"{WRAPS}[one of its own making]",),
    ),
    Mutant(
        "who may have a key",
        f"{CLIENT}/keyring/keyshare.py",
        "for kid, whole in own.entitled(own.audiences[AudienceId(lacking.audience)], lacking.epoch)",
        "for kid, whole in [pair for pair in asked if pair[0] in own.devices]",
        ("test_keys.py::test_devices_that_the_directory_does_not_entitle_get_no_wrap_however_much_they_lack",),
    ),
    Mutant(
        "who made a key",
        f"{CLIENT}/keyring/rotation.py",
        "return made_by_member(own, audience, Kid(proposal.maker), proposal.signature, proposal_message(proposal))",
        "return True",
        (f"{PROPOSED}[by a stranger]",),
    ),
    # the server's words
    Mutant(
        "a receipt's signature",
        f"{CLIENT}/syncing/receipts.py",
        'verify(checkpoint, outcome.receipt_signature or b"", RECEIPT_LABEL + (outcome.receipt or b""), "receipt")',
        "pass",
        (f"{RECEIPTS}[by a key of its own-created]",),
    ),
    Mutant(
        "what a receipt is for",
        f"{CLIENT}/syncing/receipts.py",
        "if receipt.digest != digest:",
        "if False:",
        (f"{RECEIPTS}[for another report-created]",),
    ),
    Mutant(
        "that the agency revoked a device",
        f"{CLIENT}/syncing/driver.py",
        "            await directories(local, transport)\n    return local.revoked\n",
        "            await directories(local, transport)\n    return True\n",
        (f"{REVOKED}[everywhere]",),
    ),
)
