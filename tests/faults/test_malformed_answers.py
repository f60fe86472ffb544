"""A server that answers nonsense, lies or never ends: the device says so, loses nothing and seals nothing anew.

A relay stands between the device and a real server, so that a forged answer is a real one with one thing changed.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import msgspec
import pytest
import pytest_asyncio

from sluss_client import Device, Offline, SlussError, Untrusted
from sluss_client.crypto import SignKey
from sluss_client.outbox import State
from sluss_client.testing import Town
from sluss_schemas import membership
from sluss_schemas import sync as wire
from sluss_schemas.codec import decode, encode
from sluss_schemas.signing import RECEIPT_LABEL

from tests.faults.proxy import Exchange, Relay, answer, honest, pass_on
from tests.faults.samples import AGENCIES, fed_twice, incident, stored_versions, texts

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENDPOINTS = ("/v1/directory/pull", "/v1/keys/pull", "/v1/push", "/v1/pull")
PROBLEM = "application/problem+json"
Forge = Callable[[bytes], bytes]
"""From the body of the true answer to the whole answer that the device gets."""


@dataclass
class Post:
    """A guard whose requests go through a relay, and a colleague who asks the server itself."""

    town: Town
    relay: Relay
    guard: Device
    colleague: Device

    def forge(self, path: str, forge: Forge) -> None:
        """Forge the answers to one path from now on."""

        async def after(exchange: Exchange) -> bytes:
            return forge(exchange.body) if exchange.path == path else exchange.answer

        self.relay.after = after

    def items(self) -> dict[bytes, bytes]:
        """Return what is sealed, byte for byte."""
        outbox = self.guard.local.outbox
        return {row.key: outbox.item(row) for row in outbox.rows() if row.digest is not None}

    async def settle(self) -> None:
        """Let the server be honest again, and fail unless everything arrives as it was first sealed."""
        before = self.items()
        self.relay.before, self.relay.after = pass_on, honest
        result = await self.guard.sync()
        rows = self.guard.local.outbox.rows()
        assert result.waiting == 0
        assert {row.state for row in rows} == {State.SENT}
        assert before.items() <= self.items().items()
        assert set(stored_versions(self.town).values()) == {1}
        assert len(stored_versions(self.town)) == len(rows)
        assert fed_twice(self.town) == []
        await self.colleague.sync()
        assert texts(self.colleague) == texts(self.guard)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def post() -> AsyncIterator[Post]:
    async with Town(agencies=AGENCIES) as town:
        assert town.server is not None
        guard, colleague = await town.device("security"), await town.device("security")
        async with Relay(town.server.port) as relay:
            guard._transport.server = relay.url
            yield Post(town, relay, guard, colleague)


def problem(status: str, **said: object) -> Forge:
    return lambda _body: answer(json.dumps(said).encode(), status, PROBLEM)


def body(made: bytes) -> Forge:
    return lambda _body: answer(made)


NONSENSE: dict[str, Forge] = {
    "noise": body(random.Random(1).randbytes(500)),
    "a page of a portal": lambda _body: answer(b"<html><h1>Log in to the network</h1></html>", media="text/html"),
    "nothing": body(b""),
    "no content": lambda _body: answer(b"", "204 No Content"),
    "half of the truth": lambda true: answer(true[: len(true) // 2]),
    "one byte too many": lambda true: answer(true + b"\x00"),
    "a map": body(msgspec.msgpack.encode({"items": []})),
    "an array of nothing": body(msgspec.msgpack.encode([None, None, None])),
    "text that is no UTF-8": body(b"\x93\xa2\xff\xfe\xa2\xff\xfe\xa2\xff\xfe"),
    "boxes in boxes": body(b"\x91" * 200_000 + b"\x90"),
    "a number that is too large": body(b"\x93" + b"\xcf" + b"\xff" * 8),
    "a length that is not there": body(b"\x93\xdd\xff\xff\xff\xff\x90"),
    "elsewhere": lambda _body: answer(b"", "302 Found", "text/html", "location: http://127.0.0.1:9/"),
    "elsewhere with a body": lambda true: answer(
        true, "307 Temporary Redirect", "text/html", "location: http://127.0.0.1:9/"
    ),
    "an error page": lambda _body: answer(
        b"<html>Internal Server Error</html>", "500 Internal Server Error", "text/html"
    ),
    "an error": problem("500 Internal Server Error", code="internal"),
    "an error that says it is the device's": problem("500 Internal Server Error", code="wrong_passphrase"),
    "a refusal that says it is the device's": problem("422 Unprocessable Entity", code="disk_full"),
    "a refusal that nobody knows": problem("422 Unprocessable Entity", code="no_such_code"),
    "a refusal without a code": problem("400 Bad Request"),
    "a refusal of another form": problem("400 Bad Request", code=17),
    "not found by something else": lambda _body: answer(b"404 page not found", "404 Not Found", "text/plain"),
    "zipped noise": lambda _body: answer(b"no gzip", "200 OK", "application/msgpack", "content-encoding: gzip"),
    "a time beyond all time": problem("401 Unauthorized", code="clock_off", server_time=10**18),
    "a time before all time": problem("401 Unauthorized", code="clock_off", server_time=-(10**18)),
}


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("name", NONSENSE)
async def test_nonsense_is_an_error_of_the_server_and_loses_nothing(post: Post, path: str, name: str) -> None:
    report = post.guard.file(incident(post.town.clock.now(), f"{name} from {path}"))
    offset = post.guard._transport.offset
    post.forge(path, NONSENSE[name])

    with pytest.raises(Offline) as first:
        await post.guard.sync()
    sealed = post.items()
    with pytest.raises(Offline) as second:
        await post.guard.sync()

    assert first.value.code == second.value.code == "server_error"
    assert post.items() == sealed
    assert post.guard._transport.offset == offset
    assert post.guard.get(report.id).situation == f"{name} from {path}"
    await post.settle()


@pytest.mark.parametrize(
    "cut",
    [
        # Each takes the seconds for which a device goes on trying.
        pytest.param(lambda _true: b"", id="nothing", marks=pytest.mark.soak),
        pytest.param(lambda true: answer(true)[:-7], id="half an answer"),
        pytest.param(lambda _true: b"SSH-2.0-OpenSSH_9.6\r\n", id="another protocol", marks=pytest.mark.soak),
        pytest.param(lambda _true: answer(b"", "503 Service Unavailable"), id="overloaded", marks=pytest.mark.soak),
    ],
)
async def test_a_line_that_is_cut_is_no_contact_and_loses_nothing(post: Post, cut: Forge) -> None:
    post.guard.file(incident(post.town.clock.now(), "cut off"))
    post.forge("/v1/push", cut)

    with pytest.raises(Offline) as offline:
        await post.guard.sync()

    assert offline.value.code == "offline"
    await post.settle()


def forged(change: Callable[[wire.PushAnswer], wire.PushAnswer]) -> Forge:
    return lambda true: answer(msgspec.msgpack.encode(change(msgspec.msgpack.decode(true, type=wire.PushAnswer))))


def each(**changes: object) -> Forge:
    return forged(lambda true: wire.PushAnswer(tuple(msgspec.structs.replace(one, **changes) for one in true.items)))


def signed_by_another(true: wire.PushAnswer) -> wire.PushAnswer:
    key = SignKey(bytes(32))
    signatures = [key.sign(RECEIPT_LABEL + (one.receipt or b"")) for one in true.items]
    pairs = zip(true.items, signatures, strict=True)
    return wire.PushAnswer(tuple(msgspec.structs.replace(one, receipt_signature=by) for one, by in pairs))


def receipts_swapped(true: wire.PushAnswer) -> wire.PushAnswer:
    """Give each item the true receipt of another."""
    others = [*true.items[1:], true.items[0]]
    return wire.PushAnswer(
        tuple(
            msgspec.structs.replace(one, receipt=other.receipt, receipt_signature=other.receipt_signature)
            for one, other in zip(true.items, others, strict=True)
        )
    )


def receipts_changed(true: wire.PushAnswer) -> wire.PushAnswer:
    def later(data: bytes | None) -> bytes:
        receipt = decode(wire.Receipt, data or b"")
        return encode(msgspec.structs.replace(receipt, time=receipt.time + 1))

    return wire.PushAnswer(tuple(msgspec.structs.replace(one, receipt=later(one.receipt)) for one in true.items))


LIES: dict[str, Forge] = {
    "one answer too few": forged(lambda true: wire.PushAnswer(true.items[1:])),
    "no answers": forged(lambda _true: wire.PushAnswer(())),
    "one answer too many": forged(lambda true: wire.PushAnswer((*true.items, true.items[0]))),
    "answers in another order": forged(lambda true: wire.PushAnswer(true.items[::-1])),
    "another report's digest": each(digest=bytes(32)),
    "no digest": each(digest=b""),
    "kept, but no receipt": each(receipt=None, receipt_signature=None),
    "kept, but no signature": each(receipt_signature=None),
    "erased before, but no receipt": each(outcome="gone", receipt=None, receipt_signature=None),
    "a receipt that somebody else signed": forged(signed_by_another),
    "a receipt for another report": forged(receipts_swapped),
    "a receipt that was changed": forged(receipts_changed),
    "a receipt that is none": each(receipt=b"yes"),
}


@pytest.mark.parametrize("name", LIES)
async def test_an_answer_that_does_not_hold_together_is_not_believed(post: Post, name: str) -> None:
    for number in range(3):
        post.guard.file(incident(post.town.clock.now(), f"{name} {number}"))
    post.forge("/v1/push", LIES[name])

    with pytest.raises(Untrusted):
        await post.guard.sync()

    sealed = post.items()
    assert [row.state for row in post.guard.local.outbox.rows()[-3:]] == [State.SEALED] * 3
    with pytest.raises(Untrusted):
        await post.guard.sync()
    assert post.items() == sealed
    await post.settle()


@pytest.mark.parametrize("outcome", ["retry", "stale_directory"])
async def test_a_server_that_only_puts_off_is_not_asked_for_ever(post: Post, outcome: str) -> None:
    post.guard.file(incident(post.town.clock.now(), f"put off by {outcome}"))
    post.relay.seen.clear()
    post.forge("/v1/push", each(outcome=outcome, receipt=None, receipt_signature=None))

    result = await post.guard.sync()

    assert (result.sent, result.waiting) == (0, 1)
    assert sum(exchange.path == "/v1/push" for exchange in post.relay.seen) <= 4
    post.relay.before, post.relay.after = pass_on, honest
    if outcome == "stale_directory":
        # It was stored as it was first sealed, and the server's word then made the device seal it once more.
        assert (await post.guard.sync()).waiting == 1
        (row,) = [row for row in post.guard.local.outbox.rows() if row.state is State.REFUSED]
        assert row.reason == "id_conflict"
        post.guard.local.outbox.save(msgspec.structs.replace(row, state=State.SENT))
    else:
        await post.settle()


async def endless(post: Post, path: str, forge: Forge) -> int:
    """Forge an answer that promises more without end; return how often it was asked for."""
    asked = 0

    async def after(exchange: Exchange) -> bytes:
        nonlocal asked
        if exchange.path != path or asked > 30:
            return exchange.answer
        asked += 1
        return forge(exchange.body)

    post.relay.after = after
    with pytest.raises(SlussError) as error:
        await asyncio.wait_for(post.guard.sync(), 60)
    assert error.value.code == "server_error"
    await post.settle()
    return asked


async def test_directories_without_end_are_given_up(post: Post) -> None:
    def more(true: bytes) -> bytes:
        found = msgspec.msgpack.decode(true, type=membership.DirectoryAnswer)
        return answer(msgspec.msgpack.encode(msgspec.structs.replace(found, more=True)))

    assert await endless(post, "/v1/directory/pull", more) <= 3


async def test_pages_without_end_are_given_up(post: Post) -> None:
    def more(true: bytes) -> bytes:
        found = msgspec.msgpack.decode(true, type=wire.PullAnswer)
        (position,) = (one for one in post.guard.local.cursor() if len(one.feed) > 17)
        pages = (wire.FeedPage(position, (), more=True),)
        return answer(msgspec.msgpack.encode(msgspec.structs.replace(found, pages=pages)))

    assert await endless(post, "/v1/pull", more) <= 3


def each_put(change: Callable[[wire.Put], wire.Put]) -> Forge:
    def forge(true: bytes) -> bytes:
        found = msgspec.msgpack.decode(true, type=wire.PullAnswer)

        def entry(one: wire.Entry) -> wire.Entry:
            return one if one.put is None else msgspec.structs.replace(one, put=change(one.put))

        pages = tuple(
            msgspec.structs.replace(page, entries=tuple(map(entry, page.entries)), past=tuple(map(entry, page.past)))
            for page in found.pages
        )
        return answer(msgspec.msgpack.encode(msgspec.structs.replace(found, pages=pages)))

    return forge


def flip(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:] if data else b"\x01"


FORGED_PUTS: dict[str, Callable[[wire.Put], wire.Put]] = {
    "another manifest": lambda put: msgspec.structs.replace(put, manifest=flip(put.manifest)),
    "no manifest": lambda put: msgspec.structs.replace(put, manifest=b""),
    "another signature": lambda put: msgspec.structs.replace(put, signature=flip(put.signature)),
    "a short signature": lambda put: msgspec.structs.replace(put, signature=b"x"),
    "another seal": lambda put: msgspec.structs.replace(put, seal=flip(put.seal or b"")),
    "an empty seal": lambda put: msgspec.structs.replace(put, seal=b""),
    "no sections": lambda put: msgspec.structs.replace(put, sections=()),
    "no wraps": lambda put: msgspec.structs.replace(put, wraps=()),
    "empty sections": lambda put: msgspec.structs.replace(
        put, sections=tuple(msgspec.structs.replace(one, section=b"") for one in put.sections)
    ),
    "other sections": lambda put: msgspec.structs.replace(
        put, sections=tuple(msgspec.structs.replace(one, section=flip(one.section)) for one in put.sections)
    ),
    "other wraps": lambda put: msgspec.structs.replace(
        put, wraps=tuple(msgspec.structs.replace(one, wrap=flip(one.wrap)) for one in put.wraps)
    ),
    "another scene": lambda put: msgspec.structs.replace(put, tiers=(wire.Tier(bytes(32), b"\x91\x02"), put.tiers[1])),
    "a grant that is none": lambda put: msgspec.structs.replace(put, grant=wire.GrantProof(b"", b"")),
}


@pytest.mark.parametrize("name", FORGED_PUTS)
async def test_a_delivery_that_was_changed_is_kept_out_with_an_alarm(post: Post, name: str) -> None:
    text = f"changed on the way: {name}"
    report = post.colleague.file(incident(post.town.clock.now(), text))
    await post.colleague.sync()
    post.forge("/v1/pull", each_put(FORGED_PUTS[name]))

    result = await post.guard.sync()

    assert result.alarms >= 1
    assert result.received == 0
    assert text not in texts(post.guard)
    assert post.guard.local.received(report.id) is None
    post.relay.after = honest
    # The report is where it was, and whoever asks an honest server has it.
    assert text in texts(post.colleague)
