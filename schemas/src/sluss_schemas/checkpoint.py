"""A ledger's signed checkpoint: a note in the forms of C2SP (tlog-checkpoint, signed-note), and what it commits to.

Four lines more than the form asks for: the time, the head of the agency's directory, a root over the heads of the
agency's own feeds, and the server's instance.
The feeds' tree is over salted leaves in the order of their hashes, so a device that is shown its own feeds' places
learns nothing of the others but how many there are.
Source: https://c2sp.org/tlog-checkpoint, https://c2sp.org/signed-note; docs/protocol.md section 7.

> INVARIANT: no value of a checkpoint is used before `read` has verified its signature; a note that reads otherwise than
> it would be written is none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Meta

from sluss_schemas import merkle
from sluss_schemas.codec import Document, encode
from sluss_schemas.ids import DIGEST_BYTES, ID_BYTES
from sluss_schemas.manifest import Bytes32, Head
from sluss_schemas.problems import Invalid
from sluss_schemas.signing import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verify

MAX_NOTE_BYTES: Final = 4096
_ED25519: Final = b"\x01"
"""The kind of key, as signed notes number them."""
_KEY_HASH_BYTES: Final = 4
_DASH: Final = "— "
_LINES: Final = 7
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What the server says of one agency's ledger.

    Attributes:
        partnership: 16 bytes.
        agency: 16 bytes.
        size: how many leaves there are.
        root: the tree's.
        time: when it was made, Unix seconds.
        directory: the head of the agency's own directory.
        feeds: how many feeds of its own the agency has.
        feeds_root: the root over their heads; see `FeedsTree`.
        instance: 16 bytes, the server's.

    """

    partnership: bytes
    agency: bytes
    size: int
    root: bytes
    time: int
    directory: Head
    feeds: int
    feeds_root: bytes
    instance: bytes

    @property
    def origin(self) -> str:
        """The name of the ledger, which is also that of the key."""
        return origin_of(self.partnership, self.agency)

    @property
    def text(self) -> str:
        """The text that is signed."""
        lines = (
            self.origin,
            str(self.size),
            _base64(self.root),
            f"time {self.time}",
            f"directory {self.directory.seq} {_base64(self.directory.hash)}",
            f"feeds {self.feeds} {_base64(self.feeds_root)}",
            f"instance {self.instance.hex()}",
        )
        return "".join(f"{line}\n" for line in lines)


def origin_of(partnership: bytes, agency: bytes) -> str:
    """Return the first line of an agency's checkpoints."""
    return f"sluss/{partnership.hex()}/{agency.hex()}"


# signed notes


def key_hash(name: str, key: bytes) -> bytes:
    """Return the four bytes by which a note's signature names its key."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key).digest()[:_KEY_HASH_BYTES]


def verifier_key(name: str, key: bytes) -> str:
    """Return a public key as programs for signed notes take it: `name+hash+key`."""
    return f"{name}+{key_hash(name, key).hex()}+{_base64(_ED25519 + key)}"


def read_key(text: str) -> bytes:
    """Return the raw public key of 64 hexadecimal digits, or of `name+hash+key`.

    Raises:
        Invalid: `wrong_type`.

    """
    name, between, rest = text.strip().partition("+")
    try:
        if not between:
            key = bytes.fromhex(name)
        else:
            # The key itself may have a plus in it.
            hashed, _, written = rest.partition("+")
            data = _unbase64(written)
            key = data[1:]
            if data[:1] != _ED25519 or key_hash(name, key).hex() != hashed:
                key = b""
    except ValueError:
        key = b""
    if len(key) != PUBLIC_KEY_BYTES:
        raise Invalid("wrong_type", "key", "Give the key as 64 hexadecimal digits, or as name+hash+key.")
    return key


def sign_note(text: str, name: str, key: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Return a text with one signature under it, by the Ed25519 key whose public half is given."""
    line = _base64(key_hash(name, key) + sign(text.encode()))
    return f"{text}\n{_DASH}{name} {line}\n".encode()


def open_note(note: bytes, name: str, key: bytes) -> str:
    """Return the text of a note that a key signed under a name; signatures of other keys are passed over.

    Raises:
        Invalid: `malformed` or `bad_signature`.

    """
    if len(note) > MAX_NOTE_BYTES:
        raise Invalid("malformed", "note")
    try:
        text, between, lines = note.decode().rpartition("\n\n")
    except UnicodeDecodeError:
        raise Invalid("malformed", "note") from None
    if not between or not lines.endswith("\n") or any(ord(one) < ord(" ") and one != "\n" for one in text):
        raise Invalid("malformed", "note")
    text += "\n"
    wanted = key_hash(name, key)
    for line in lines.removesuffix("\n").split("\n"):
        signer, _, data = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not signer or not data:
            raise Invalid("malformed", "note")
        try:
            found = _unbase64(data)
        except ValueError:
            raise Invalid("malformed", "note") from None
        if signer == name and found[:_KEY_HASH_BYTES] == wanted:
            signature = found[_KEY_HASH_BYTES:]
            if len(signature) == SIGNATURE_BYTES:
                verify(key, signature, text.encode(), "note")
                return text
    raise Invalid("bad_signature", "note")


def sign(checkpoint: Checkpoint, key: bytes, signer: Callable[[bytes], bytes]) -> bytes:
    """Return a checkpoint as a signed note."""
    return sign_note(checkpoint.text, checkpoint.origin, key, signer)


def read(note: bytes, partnership: bytes, agency: bytes, key: bytes) -> Checkpoint:
    """Return an agency's checkpoint that the key signed.

    Raises:
        Invalid: `malformed` or `bad_signature`.

    """
    text = open_note(note, origin_of(partnership, agency), key)
    try:
        checkpoint = _parse(text, partnership, agency)
    except ValueError:
        raise Invalid("malformed", "note") from None
    if checkpoint.text != text:
        raise Invalid("malformed", "note")
    return checkpoint


def origin_in(note: bytes) -> tuple[bytes, bytes]:
    """Return the partnership and the agency that a note names, unverified.

    Raises:
        Invalid: `malformed`.

    """
    try:
        _, partnership, agency = note.partition(b"\n")[0].decode().split("/")
        found = bytes.fromhex(partnership), bytes.fromhex(agency)
    except ValueError:
        raise Invalid("malformed", "note") from None
    if any(len(one) != ID_BYTES for one in found):
        raise Invalid("malformed", "note")
    return found


def _parse(text: str, partnership: bytes, agency: bytes) -> Checkpoint:
    lines = text.removesuffix("\n").split("\n")
    if len(lines) != _LINES:
        raise ValueError
    _, size, root, time, directory, feeds, instance = lines
    seq, hash_ = _words(directory, "directory")
    count, feeds_root = _words(feeds, "feeds")
    [at] = _words(time, "time")
    [named] = _words(instance, "instance")
    numbers = [int(one) for one in (size, at, seq, count)]
    digests = [_unbase64(one) for one in (root, hash_, feeds_root)]
    if not all(0 <= one <= _LARGEST for one in numbers) or any(len(one) != DIGEST_BYTES for one in digests):
        raise ValueError
    return Checkpoint(
        partnership=partnership,
        agency=agency,
        size=numbers[0],
        root=digests[0],
        time=numbers[1],
        directory=Head(agency, numbers[2], digests[1]),
        feeds=numbers[3],
        feeds_root=digests[2],
        instance=bytes.fromhex(named),
    )


def _words(line: str, name: str) -> list[str]:
    first, *rest = line.split(" ")
    if first != name:
        raise ValueError
    return rest


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unbase64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError from error
    if _base64(data) != text:
        # The last character has bits that stand for nothing.
        raise ValueError
    return data


# the heads of the agency's own feeds


class FeedProof(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a feed ended when a checkpoint was made, and the proof that the checkpoint says so."""

    feed: Annotated[bytes, Meta(max_length=32)]
    generation: Annotated[int, Meta(ge=0, le=_LARGEST)]
    seq: Annotated[int, Meta(ge=0, le=_LARGEST)]
    salt: Bytes32
    index: Annotated[int, Meta(ge=0, le=_LARGEST)]
    path: Annotated[tuple[Bytes32, ...], Meta(max_length=64)]

    def shown_by(self, checkpoint: Checkpoint) -> bool:
        """Tell whether a checkpoint commits to this."""
        leaf = feed_leaf(self.salt, self.feed, self.generation, self.seq)
        return merkle.includes(leaf, self.index, checkpoint.feeds, self.path, checkpoint.feeds_root)


FeedHead = tuple[bytes, int, int]
"""A feed's name, its generation and its last number."""


def feed_leaf(salt: bytes, feed: bytes, generation: int, seq: int) -> bytes:
    """Return the hash that stands for a feed's head."""
    return merkle.leaf_hash(salt + encode((feed, generation, seq)))


class FeedsTree:
    """The tree over the heads of an agency's feeds, under a secret of this checkpoint's own."""

    def __init__(self, secret: bytes, heads: Iterable[FeedHead]) -> None:
        """Build it; each feed's salt is drawn from the secret, so that only who is shown it can test a guess."""
        self._heads: Final = {head[0]: head for head in heads}
        self._salts: Final = {feed: hmac.digest(secret, feed, "sha256") for feed in self._heads}
        leaves = sorted((feed_leaf(self._salts[feed], *head), feed) for feed, head in self._heads.items())
        self._places: Final = {feed: place for place, (_, feed) in enumerate(leaves)}
        self._nodes: Final = dict[merkle.Node, bytes]()
        frontier = merkle.Frontier()
        for leaf, _ in leaves:
            self._nodes.update(frontier.append(leaf))
        self.root: Final = frontier.root

    def __len__(self) -> int:
        """Return the number of feeds."""
        return len(self._heads)

    @property
    def feeds(self) -> Iterable[bytes]:
        """The feeds' names."""
        return self._heads.keys()

    def prove(self, feed: bytes) -> FeedProof:
        """Return the proof of one of the feeds."""
        place = self._places[feed]
        path = merkle.proof(merkle.inclusion_parts(place, len(self)), self._nodes.__getitem__)
        return FeedProof(*self._heads[feed], self._salts[feed], place, path)
