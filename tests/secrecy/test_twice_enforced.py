"""Twice enforced, for every kind of every owner: keys alone hold, and the server alone holds.

One town lives twice. First its server has no policy (`policy_off`): whatever it has goes to every device, and what a
device's keys open is compared with the table. Then the server is the real one and the clients' checks are off: they
seal every part to every audience, and what arrives is compared with the table.
Scene, shift and the own supervisors' row are the server's alone; the secret kinds of one owner it cannot tell apart.
Source: docs/secrecy-rules.md, "How the pack meets the keys".
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest

from sluss_client import crypto, filing
from sluss_client.disclosing import sealing
from sluss_client.disclosing.material import Material
from sluss_client.filing import Sealable
from sluss_client.sealers import Moment, Target
from sluss_client.syncing import pulling
from sluss_client.testing import server as testing
from sluss_schemas import forms
from sluss_schemas import sync as wire
from sluss_schemas.ids import SLOTS, Kid, ReportId

from tests.disclosing.people import L17
from tests.secrecy import expected, policy_off
from tests.secrecy.canaries import form_with_canaries
from tests.secrecy.expected import PARTS, SECTORS
from tests.secrecy.populated import READERS, Pair, Populated, Who, _uncollected, _without_point, populated
from tests.secrecy.raw import asking, entries
from tests.secrecy.taking import Opening

OUTSIDERS: Final = tuple(who for who in READERS if who[1] != "author")
readers = pytest.mark.parametrize("who", OUTSIDERS, ids="/".join)
_SHORT: Final = frozenset({"R", "P"})
GRANTED: Final[dict[tuple[Pair, Who], str]] = {
    ((5, "SOC"), ("SEC", "field")): "SUB SIT SIT~ PLC PLC~ SAF~ AUT~",
    ((4, "SEC"), ("HLT", "field")): "SUB SIT SIT~ PLC PLC~",
}
"""Who is named in an emergency, and what they get by it beside the table: the person, what happened and where, and what
the table gives in brief (~) to whoever knows of the report."""
BY_THIS_GROUND: Final = "CAR"
"""What the ground might open besides, had it been chosen: whether it was, the clients alone know."""


class Life:
    """What was filed in one life of the town, and what each device took afterwards."""

    def __init__(self, square: Populated) -> None:
        """Let every owner file every kind, and every device take all that the server gives it."""
        self.square = square
        self.filed = {pair: self._file(pair) for pair in expected.pairs()}
        for sector in SECTORS:
            square.run(square.device(sector, "author").sync())
        for pair, who in GRANTED:
            self._grant(pair, who)
        opening = Opening()
        self.taken = {who: opening.take(self._entries(who), self._ring(who)) for who in READERS}

    def _file(self, pair: Pair) -> ReportId:
        kind, owner = pair
        author, staff = self.square.device(owner, "author"), self.square.device(owner, "case_staff").person_id
        changes: dict[str, object] = {"observed_at": self.square.town.clock.now()}
        if "case_staff" in forms.FORMS[kind].__struct_fields__:
            changes["case_staff"] = [staff]
        if kind == 7 and owner in {"POL", "SEC"}:
            changes["place"] = _without_point(form_with_canaries(kind, owner))
        if "planned" in forms.FORMS[kind].__struct_fields__:
            changes["planned"] = False
        form = form_with_canaries(kind, owner, **changes)
        form = msgspec.structs.replace(form, **_uncollected(form, owner))
        self.square.sent[pair] = tuple(sorted(expected.offered(kind, owner)))
        return author.file(form, duties=dict.fromkeys(self.square.sent[pair], "send"), confirm_text=True).id

    def _grant(self, pair: Pair, who: Who) -> None:
        """Let an author name somebody in an emergency."""
        author, to = self.square.device(pair[1], "author"), self.square.device(*who)
        name = f"{SECTORS[who[0]]}/{to.alias}"
        self.square.run(author.disclose(self.filed[pair], "L17", to=[name], compartments=["subject"], **L17))
        self.square.run(author.sync())

    def _entries(self, who: Who) -> list[wire.Entry]:
        async def pull() -> list[wire.Entry]:
            async with asking(self.square.device(*who), self.square.town.url) as raw:
                return list(entries(await raw.pull()))

        taken: list[wire.Entry] = self.square.run(pull())
        return taken

    def _ring(self, who: Who) -> dict[Kid, crypto.KemKey]:
        return self.square.device(*who).local.ring.kems

    def allowed(self, pair: Pair, who: Who) -> set[int]:
        """Return the slots that the table opens; where a duty tells in full what the cell gives in brief, both."""
        seen = self.square.seen(pair, who)
        slots = {2 * PARTS.index(part) + (form == "brief") for part, form in seen.items()}
        cells = {part: expected.table()[(*pair, part, expected.column(*who))] for part in seen}
        slots |= {2 * PARTS.index(part) + 1 for part, cell in cells.items() if cell.letter in _SHORT}
        return slots | self.granted(pair, who)

    def granted(self, pair: Pair, who: Who) -> set[int]:
        """Return the slots that a decision opens besides."""
        return {slot_of(part) for part in GRANTED.get((pair, who), "").split()}

    def allowed_by_the_server(self, pair: Pair, who: Who) -> set[int]:
        """Return the same, and for a kind whose existence is secret what any such kind of the owner opens."""
        if not is_secret(self.square, pair[0]):
            return self.allowed(pair, who) | ({slot_of(BY_THIS_GROUND)} if (pair, who) in GRANTED else set())
        alike = [one for one in expected.pairs() if one[1] == pair[1] and is_secret(self.square, one[0])]
        return set().union(*(self.allowed(one, who) for one in alike))


def slot_of(part: str) -> int:
    """Return the slot of a part, or of its brief (~)."""
    return 2 * PARTS.index(part.rstrip("~")) + part.endswith("~")


def is_secret(square: Populated, kind: int) -> bool:
    """Tell whether a kind's existence is secret, as the pack says."""
    return not square.device("POL", "author").pack.kinds[kind].clear


@pytest.fixture(scope="module")
def square() -> Iterator[Populated]:
    """A town with everybody in it, and nothing filed."""
    with populated(filled=False) as town:
        yield town


@pytest.fixture(scope="module")
def keys_alone(square: Populated) -> Life:
    """The life in which the server has no policy."""
    launcher = (sys.executable, str(Path(policy_off.__file__)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(testing, "_SLUSS", launcher)
        # The authors push and pull nothing: an honest device gives up on a server that shows it feeds of others.
        patch.setattr(pulling, "run", _nothing)
        _restart(square)
        life = Life(square)
    _restart(square)
    return life


@pytest.fixture(scope="module")
def server_alone(square: Populated, keys_alone: Life) -> Life:
    """The life in which clients seal everything to everybody, after the other one."""
    assert keys_alone.filed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filing, "_base_targets", to_everybody)
        patch.setattr(filing, "_duty_target", all_of_it)
        patch.setattr(sealing, "_given", all_that_is_there)
        return Life(square)


async def _nothing(*_asked: object) -> None:
    """Pull nothing."""


def _restart(square: Populated) -> None:
    assert square.town.server is not None
    square.town.server.stop()
    square.town.server.start()


def to_everybody(work: Sealable, moment: Moment, filled: int) -> list[Target]:
    """Seal all parts to every audience of everybody, and to every device of another agency."""
    trust = moment.trust
    honest = {one.kid: one for one in HONEST_TARGETS(work, moment, filled)}
    for reachable in trust.audiences(moment.now, work.form.scene):
        epoch = reachable.audience.recipient
        if epoch is not None:
            honest[epoch.kem_kid] = Target(epoch.kem_kid, epoch.kem_key, filled)
    for chain in trust.agencies(moment.now):
        if chain.agency != trust.own_id:
            honest |= {one.kem_kid: Target(one.kem_kid, one.kem_key, filled) for one in chain.devices.values()}
    return sorted(honest.values(), key=lambda one: one.kid)


def all_of_it(to: object, code: str, kind: int, filled: int, moment: Moment, *, hold: str = "") -> Target | None:
    """Give a duty's receiver all parts."""
    honest = HONEST_DUTY(to, code, kind, filled, moment, hold=hold)  # type: ignore[arg-type]  # as it came
    return None if honest is None else Target(honest.kid, honest.public, filled)


def all_that_is_there(_local: object, _one: object, _gateway: object, found: Material, *_more: object) -> int:
    """Give whoever is named all parts."""
    return found.within


HONEST_TARGETS: Final = filing._base_targets
HONEST_DUTY: Final = filing._duty_target


@readers
def test_keys_alone_open_no_more_than_the_pack_and_the_duties_give(keys_alone: Life, who: Who) -> None:
    taken = keys_alone.taken[who]
    wider = {
        pair: over
        for pair, report_id in keys_alone.filed.items()
        if (over := taken.slots(report_id) - keys_alone.allowed(pair, who))
    }
    assert wider == {}
    # What they do open is what the table gives: no seal was missed for the way in which it was tried.
    for pair, report_id in keys_alone.filed.items():
        filled = {
            slot for slot in taken.came(report_id) if (report_id, slot) in keys_alone.taken[author_of(pair)].opened
        }
        assert taken.slots(report_id) >= keys_alone.allowed(pair, who) & filled & even(), pair


def test_the_keys_of_a_decision_open_what_was_decided(keys_alone: Life) -> None:
    for pair, who in GRANTED:
        opened = keys_alone.taken[who].slots(keys_alone.filed[pair])
        assert slot_of("SUB") in opened, who
        assert slot_of(BY_THIS_GROUND) not in opened, who


def test_the_server_without_a_policy_withholds_nothing(keys_alone: Life) -> None:
    every = set(keys_alone.filed.values())
    for who in READERS:
        assert every <= {report_id for report_id, _ in keys_alone.taken[who].ciphertexts}
    # A supervisor of the guards has the ciphertexts of an outreach contact here, and opens none of them.
    outreach = keys_alone.filed[5, "SOC"]
    assert keys_alone.taken["SEC", "supervisors"].came(outreach)
    assert not keys_alone.taken["SEC", "supervisors"].slots(outreach)


def author_of(pair: Pair) -> Who:
    """Return who filed a report."""
    return pair[1], "author"


def even() -> set[int]:
    """Return the slots of whole parts; a part that is told in full is not told in brief besides."""
    return set(range(0, SLOTS, 2))


@readers
def test_the_server_alone_lets_nothing_through_that_the_table_closes(server_alone: Life, who: Who) -> None:
    taken = server_alone.taken[who]
    wider = {
        pair: over
        for pair, report_id in server_alone.filed.items()
        if (over := taken.came(report_id) - server_alone.allowed_by_the_server(pair, who))
    }
    assert wider == {}


def test_clients_without_a_policy_sealed_everything_to_everybody(server_alone: Life) -> None:
    square = server_alone.square
    wide = 0
    for pair, report_id in server_alone.filed.items():
        outbox = square.device(pair[1], "author").local.outbox
        row = outbox.head(report_id)
        assert row is not None
        item = msgspec.msgpack.decode(outbox.item(row), type=wire.Item)
        assert len({tuple(wrap.slot for wrap in one.wraps) for one in item.recipients}) <= 2
        wide += len(item.recipients) > 20
    assert wide == len(server_alone.filed)
