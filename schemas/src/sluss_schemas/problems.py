"""Every refusal that Sluss can give: a stable code, and what to do about it.

The same table serves the server's problem details, the SDK's exceptions and the command line, so a code means one
thing everywhere.
A refusal names the field and never repeats what a person wrote: content in an error would end in a log.

> INVARIANT: a code once released keeps its meaning; a new meaning gets a new code.
"""

from __future__ import annotations

from typing import Final

CATALOGUE: Final[dict[str, tuple[int, str]]] = {
    # code: (HTTP status, what to do; the field's name is put before it)
    # what a person fills in
    "unknown_scene": (422, "Choose a scene from the registry; sync first if it is new."),
    "future_time": (422, "Give the time of the observation; it cannot lie in the future."),
    "naive_time": (422, "Give the time with its zone, for instance 2026-02-03T21:40+01:00."),
    "too_old": (422, "Give a time after the year 2000."),
    "wrong_sub_kind": (422, "Choose a sub-kind that belongs to this kind of report."),
    "unknown_code": (422, "Choose a code from the list that the contract names for this field."),
    "not_collected": (422, "This kind of report does not collect this part; write another kind of report for it."),
    "not_an_owner": (422, "This agency does not file this kind of report."),
    "unknown_kind": (422, "Choose a kind of report that the policy pack knows."),
    "missing_field": (422, "Fill in the field."),
    "names_person": (422, "Write it without anything that names or describes a person."),
    "wrong_type": (422, "Give a value of the type that the contract names for this field."),
    "out_of_range": (422, "Give a value within the limits that the contract names for this field."),
    "too_long": (422, "Shorten the text, or put the rest into a second report."),
    "unknown_field": (422, "Remove the field; this form does not have it."),
    "unknown_duty": (422, "Answer only duties that the pack puts to the author of this kind of report."),
    "unknown_person": (422, "Choose a person from the directory."),
    "bad_zone": (0, "Give a GeoJSON file with one polygon: the outline of the scene."),
    "unknown_agency": (0, "Choose another agency of the partnership, by its slug."),
    # documents and signatures
    "not_canonical": (400, "Encode the structure exactly as the protocol says and send it again."),
    "malformed": (400, "Send a structure of the form that the protocol describes."),
    "bad_signature": (400, "Sign with the key that the directory names; nothing was stored."),
    "body_too_large": (413, "Send at most 50 items or 1 MiB in one push."),
    "stale_directory": (409, "Pull the directories, seal again and push."),
    "id_conflict": (409, "A different report has this id and version; the report is kept in the outbox."),
    "unknown_pack": (422, "Use a policy pack that the agency's directory names."),
    # requests
    "unsigned": (401, "Sign the request with the device's key."),
    "clock_off": (401, "The device's clock is more than five minutes off; use the server's time in this answer."),
    "unknown_device": (401, "Enrol the device, or wait until a registrar has approved it."),
    "revoked_device": (403, "This device was revoked; hand it to a registrar of the agency."),
    "not_allowed": (403, "Ask a registrar of the agency for the right that this needs."),
    "not_signed_in": (401, "Open the overview from a supervisor's device, with `sluss-device desk`."),
    "session_ended": (401, "Open the overview from the device again."),
    "link_used": (403, "Ask the device for a new link; each signs in one browser, once, within a minute."),
    "cross_site": (403, "Press the button on the page itself; nothing was changed."),
    "not_found": (404, "There is nothing here that this device may see."),
    "method_not_allowed": (405, "Use a method that the contract lists for this address."),
    "invalid_request": (400, "Send the request as the contract describes it."),
    "unknown_invite": (404, "Ask a registrar for a new invitation."),
    "invite_used": (409, "This invitation was used; ask a registrar for a new one."),
    "invite_expired": (410, "This invitation has expired; ask a registrar for a new one."),
    "damaged_code": (422, "Read or type the code again; some of it is missing or wrong."),
    "directory_conflict": (409, "Somebody else appended to the directory first; sync and do it again."),
    "directory_refused": (422, "The entry does not follow from the directory; sync and do it again."),
    "below_floor": (422, "The statute does not leave this part to an agreement; take one of the ways that it names."),
    "culled": (410, "This report was culled when its time had run out; write a new one of what is still needed."),
    "restoring": (409, "The server was restored; have every registrar sync, then one of them run `restored`."),
    "overloaded": (503, "Try again in a moment; nothing was lost."),
    "internal": (500, "Try again; if it goes on, give the operator the time and the request id."),
    # a server's own troubles
    "not_migrated": (0, "Make a copy of the database and run `sluss migrate`."),
    "database_unreachable": (0, "Start the database, or correct SLUSS_DATABASE_URL."),
    "data_dir_unusable": (0, "Give this user a data folder that only they can read and write."),
    "key_damaged": (0, "Put the receipt key back from the backup; devices know no other."),
    "address_unusable": (0, "Choose another address or port; this one is taken or not this machine's."),
    "backup_damaged": (0, "Take another backup; this file is incomplete, or no backup."),
    "backup_exists": (0, "Choose another file; a backup is never written over."),
    "not_empty": (0, "Restore into a new data folder and an empty database; what is there was not touched."),
    "not_restored": (0, "Delete the data folder, empty the database, and run `sluss restore FILE` again."),
    "demo_missing": (0, "Run `make demo` in a checkout of the project."),
    # a device's own troubles
    "wrong_passphrase": (0, "Type the passphrase again; nothing was changed."),
    "store_missing": (0, "Enrol this device first; there is no store at this path."),
    "store_exists": (0, "Choose another path; a store is here already and was not touched."),
    "store_damaged": (0, "Make a copy of the file and ask a registrar; what was sent can be fetched again."),
    "store_locked": (0, "Another program has this store open; close it first."),
    "disk_full": (0, "Free some space and save again; what was saved before is safe."),
    "offline": (0, "No contact with the server; what was filed waits in the outbox."),
    "server_error": (0, "The server answered with an error; what was filed waits in the outbox."),
    "waiting_for_approval": (0, "A registrar has to approve this device; sync again later."),
    "no_group_key": (0, "A colleague's device has to pass on the group's key; sync again later."),
    "closed": (0, "The policy pack does not open this part for you."),
    "lease_ended": (0, "Sync to confirm that this may still be read."),
    "unknown_report": (0, "No such report is on this device."),
    "cannot_amend": (0, "Only a member of the owning agency who can open every part may amend this report."),
    "registrar_only": (0, "Only a registrar's device can do this."),
    "untrusted_directory": (0, "The server showed a directory that does not hold together; tell a registrar."),
    "pack_missing": (
        409,
        "Update the program, here or on the server: it lacks the policy pack in force; until then nothing is shared.",
    ),
    "ledger_unproven": (0, "What the server shows does not lead to the ledger that was proven here; tell a registrar."),
    "pack_refused": (0, "The policy pack breaks a rule that no pack may break; keep the pack in force."),
    "bad_agreement": (0, "Correct the draft of the agreement at the place named."),
    "unknown_agreement": (0, "No such agreement is known here; `agreement list` shows them. Sync first if it is new."),
    "bad_mapping": (0, "Correct the mapping file at the place named."),
    "bad_row": (0, "Correct the row and import the file again; rows already imported are not repeated."),
    "protected_place": (0, "This kind of report is not written about this place; write another kind, or tell health."),
    "no_ground": (0, "This ground does not open that part to this receiver; `offers` lists those that do."),
    "not_a_decider": (0, "Somebody else decides on this ground; `offers` says which function does."),
    "age_limit": (0, "This ground has an age limit, and the age that is noted is above it or not known."),
    "no_consent": (0, "The recorded consent does not cover this, or is over; ask for another."),
    "not_held": (0, "Nothing keeps this report back."),
    "needs_approval": (0, "Ask the supervisors whom the pack names to approve this text; else nothing is released."),
    "not_approved": (0, "Whoever has to approve it said no; ask them why."),
    "about_yourself": (422, "Ask another supervisor to end it: this task is about yourself."),
    "supervisor_only": (0, "Only a supervisor of the owning agency can do this."),
    # keys, loss and recovery
    "locked": (0, "This device is locked; unlock it with the passphrase."),
    "passphrase_wait": (0, "Too many wrong passphrases; wait until the time named, then try again."),
    "wiped": (0, "This device was revoked and emptied; what it had not sent is sealed for its agency."),
    "clock_disputed": (0, "Set this device's clock: the server's time cannot be right, or this one is far off."),
    "wrong_root_key": (0, "This is not the root key that is asked for; take the other one."),
    "damaged_root_key": (0, "Read or type the root key again; some of it is missing or wrong."),
    "unknown_alias": (0, "Nobody in the own agency has this alias; `people` lists them."),
    "last_registrar": (0, "Name another registrar first: without one nobody can join or leave."),
    "no_custodians": (0, "Name three custodians first, with `custodians`."),
    "custodian_only": (0, "Only a custodian's device can do this."),
    "shares_missing": (0, "Two custodians have to give their shares to this device first, with `recover give`."),
    "bad_share": (0, "This custodian's share is not the one in the directory; ask another custodian for theirs."),
    "foreign_share": (0, "This share is of another agency or audience; ask the custodians named in the directory."),
    "not_recovered": (0, "The shares do not give the published keys; ask the third custodian, and tell a registrar."),
    "directory_gap": (0, "The server left out entries of a directory; sync again, and tell a registrar if it goes on."),
    "directory_fork": (0, "The server shows this device another directory than others; stop, and tell a registrar."),
    "directory_withheld": (0, "The server hides entries of a directory that others have; tell a registrar."),
    "feed_gap": (0, "The server left out entries of a feed; sync again, and tell a registrar if it goes on."),
    "feed_rewound": (0, "The server went back in a feed; nothing was taken in. Tell a registrar."),
}
"""Stable code: HTTP status (0 where the code never crosses the network) and what to do."""


class SlussError(Exception):
    """Base of everything that Sluss raises on purpose.

    Attributes:
        code: stable code from `CATALOGUE`.
        field: the field, cell or file that it is about, or an empty string.
        say: one sentence that says what to do.

    """

    code: str
    field: str
    say: str

    def __init__(self, code: str, field: str = "", say: str = "") -> None:
        """Build a refusal; `say` overrides the catalogue's sentence where more can be said."""
        if code not in CATALOGUE:
            message = f"problem code {code!r} is not in the catalogue"
            raise LookupError(message)
        self.code = code
        self.field = field
        self.say = say or CATALOGUE[code][1]
        super().__init__(f"{code}: {field}: {self.say}" if field else f"{code}: {self.say}")


class Invalid(SlussError):
    """What was given is wrong: a form, a document, a pack or a request."""


def status_of(code: str) -> int:
    """Return the HTTP status of a problem code; 500 for one that should not have crossed the network."""
    return CATALOGUE[code][0] or 500
