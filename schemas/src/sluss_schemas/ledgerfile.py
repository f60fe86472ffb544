"""A ledger in a file, and its verification by whoever has the file and nothing else, years later.

One JSON document a line: a header with the agency's genesis entry, every kept checkpoint, every leaf, the stored nodes
of the tree, and an end that says how many leaves there were.
Verification names the row at which something was changed or taken away.
Source: docs/protocol.md section 7, docs/operating.md.

> INVARIANT: nothing in the file is believed: the genesis entry has to be signed by its own root and make the agency's
> id, and every checkpoint has to be signed by the key that it pins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from sluss_schemas import checkpoint as notes
from sluss_schemas.checkpoint import Checkpoint
from sluss_schemas.codec import decode
from sluss_schemas.directory import SignedEntry
from sluss_schemas.ledger import FORGET, KEPT_LEVELS, Forgotten, commitment, leaf_hash, read_content
from sluss_schemas.merkle import Frontier, Node
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory

FORMAT: Final = 1
MAX_FAULTS: Final = 100
"""More are not named: a file that has so many is no ledger."""


class Header(msgspec.Struct, frozen=True, tag="ledger"):
    """Whose ledger it is; `genesis` is the first signed entry of the agency's directory, canonical."""

    format: int
    partnership: str
    agency: str
    slug: str
    exported_at: int
    genesis: bytes


class Note(msgspec.Struct, frozen=True, tag="checkpoint"):
    """A signed checkpoint."""

    note: str


class Row(msgspec.Struct, frozen=True, tag="leaf"):
    """A leaf as it is stored."""

    seq: int
    action: str
    salt: bytes
    content: bytes
    leaf: bytes


class Inner(msgspec.Struct, frozen=True, tag="node"):
    """A node of the tree as it is stored."""

    level: int
    number: int
    hash: bytes


class End(msgspec.Struct, frozen=True, tag="end"):
    """The ledger's head as it is stored."""

    seq: int
    peaks: bytes


Line = Header | Note | Row | Inner | End
_encoder: Final = msgspec.json.Encoder()
_decoder: Final[msgspec.json.Decoder[Line]] = msgspec.json.Decoder(Line)


class Fault(msgspec.Struct, frozen=True):
    """Something that is not as it was written: which row, and what is wrong with it."""

    row: str
    say: str


@dataclass(slots=True, kw_only=True)
class Verified:
    """What a file holds.

    Attributes:
        agency: the slug; empty where not even the header holds.
        fingerprint: SHA-256 of the agency's first root key, as it is read out at founding.
        key: the checkpoint key that the genesis pins.
        leaves: how many there are.
        erased: how many of them have no content any more, by an act that is recorded.
        checkpoints: those that hold.
        beyond: leaves that no checkpoint covers yet.
        faults: empty where everything holds.

    """

    agency: str = ""
    fingerprint: bytes = b""
    key: bytes = b""
    leaves: int = 0
    erased: int = 0
    checkpoints: list[Checkpoint] = field(default_factory=list)
    beyond: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether everything holds."""
        return not self.faults


def write(line: Line) -> bytes:
    """Return one line of a file."""
    return _encoder.encode(line) + b"\n"


def read(lines: Iterable[bytes]) -> Iterator[Line]:
    """Yield the lines of a file that was verified.

    Raises:
        msgspec.DecodeError: it was not.

    """
    return (_decoder.decode(line) for line in lines)


def verify(lines: Iterable[bytes], *, key: bytes | None = None, witnessed: Iterable[bytes] = ()) -> Verified:
    """Verify a file.

    Args:
        lines: the file's lines.
        key: the checkpoint key that it has to be signed with; that of the genesis in the file if None.
        witnessed: notes that somebody else kept, such as an agency's device: the ledger has to hold them too.

    """
    verifier = _Verifier(key, tuple(witnessed))
    for line in _read(lines, verifier):
        verifier.take(line)
    return verifier.finish()


def _read(lines: Iterable[bytes], verifier: _Verifier) -> Iterator[Line]:
    for number, data in enumerate(lines, 1):
        try:
            yield _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            verifier.fault(f"line {number}", "It cannot be read.")


class _Verifier:
    """Takes a file line by line."""

    def __init__(self, key: bytes | None, witnessed: tuple[bytes, ...]) -> None:
        self.found = Verified()
        self._pinned: Final = key
        self._witnessed: Final = witnessed
        self._header: Header | None = None
        self._points: list[Checkpoint] = []
        self._tree = Frontier()
        self._gapless = True
        self._agrees = True
        self._agreed = 0
        self._made: dict[Node, bytes] = {}
        self._first_changed: int | None = None
        self._empty: list[int] = []
        self._forgotten: list[tuple[int, int]] = []
        self._end: End | None = None

    def fault(self, row: str, say: str) -> None:
        """Note that something is wrong."""
        if len(self.found.faults) < MAX_FAULTS:
            self.found.faults.append(Fault(row, say))

    def take(self, line: Line) -> None:
        """Take the next line."""
        match line:
            case Header():
                self._take_header(line)
            case _ if self._header is None:
                self.fault("header", "The file does not begin with one.")
                self._header = Header(0, "", "", "", 0, b"")
            case Note():
                self._take_note(line.note.encode(), "checkpoint")
            case Row():
                self._take_row(line)
            case Inner():
                self._take_node(line)
            case End():
                self._end = line

    def finish(self) -> Verified:
        """Return what was found."""
        found = self.found
        if self._header is None:
            self.fault("header", "The file has none.")
        if self._end is None:
            self.fault("end", "The file ends before its end.")
        else:
            self._check_end(self._end)
        for seq in self._empty:
            if any(first <= seq <= last for first, last in self._forgotten):
                found.erased += 1
            else:
                self.fault(f"leaf {seq}", "Its content was erased, and no leaf records that.")
        found.leaves = self._tree.size
        found.beyond = found.leaves - max((one.size for one in found.checkpoints), default=0)
        return found

    # the header and the checkpoints

    def _take_header(self, header: Header) -> None:
        if self._header is not None:
            self.fault("header", "There are two.")
            return
        self._header = header
        if header.format != FORMAT:
            self.fault("header", "The file is of another format; verify it with a later version of Sluss.")
            return
        directory = Directory()
        try:
            directory.append(decode(SignedEntry, header.genesis, "genesis"))
        except Invalid as refusal:
            self.fault("genesis", f"The agency's first entry does not hold ({refusal.code}).")
            return
        genesis = directory.genesis
        if genesis is None or (directory.agency.hex(), genesis.partnership.hex()) != (
            header.agency,
            header.partnership,
        ):
            self.fault("genesis", "The agency's first entry is another agency's.")
            return
        self.found.agency, self.found.fingerprint = genesis.slug, directory.root_fingerprint
        self.found.key = genesis.checkpoint
        if self._pinned not in {None, genesis.checkpoint}:
            self.fault("genesis", "It pins another checkpoint key than the one that was given.")
        for note in self._witnessed:
            self._take_note(note, "witnessed checkpoint")

    def _take_note(self, note: bytes, what: str) -> None:
        header = self._header
        if header is None or not self.found.key:
            return
        key = self._pinned or self.found.key
        try:
            read = notes.read(note, bytes.fromhex(header.partnership), bytes.fromhex(header.agency), key)
        except (Invalid, ValueError):
            size = note.split(b"\n", 2)[1].decode(errors="replace") if note.count(b"\n") > 1 else "?"
            self.fault(f"{what} {size}", "It is not signed by the agency's checkpoint key, or was changed since.")
            return
        if self._tree.size:
            self.fault(f"{what} {read.size}", "It stands after the leaves.")
            return
        self._points.append(read)
        self._points.sort(key=lambda one: (one.size, one.time))

    # the leaves

    def _take_row(self, row: Row) -> None:
        if row.seq != self._tree.size + 1 and self._gapless:
            self._gap(row.seq)
        if not self._tree.size:
            self._hold(0)
        if not row.salt and not row.content:
            self._empty.append(row.seq)
        else:
            self._check_content(row)
        for node, made in self._tree.append(leaf_hash(row.action, row.leaf)):
            if node.level and node.level % KEPT_LEVELS == 0:
                self._made[node] = made
        self._hold(row.seq)

    def _gap(self, seq: int) -> None:
        self._gapless = False
        expected = self._tree.size + 1
        if seq <= self._tree.size:
            self.fault(f"leaf {seq}", "Its number comes a second time.")
        else:
            missing = f"leaf {expected}" if seq == expected + 1 else f"leaves {expected} to {seq - 1}"
            self.fault(missing, "Missing; from here on the tree cannot be computed.")

    def _check_content(self, row: Row) -> None:
        name = f"leaf {row.seq}"
        if commitment(row.salt, row.content) != row.leaf:
            self.fault(name, "Its salt, its content or its digest was changed.")
            return
        try:
            content = read_content(row.action, row.content)
        except Invalid:
            self.fault(name, "Its content does not say what its action says.")
            return
        if isinstance(content, Forgotten) and row.action == FORGET:
            self._forgotten += content.ranges

    def _hold(self, size: int) -> None:
        """Hold the tree as it is at this size against the checkpoints of this size."""
        while self._points and self._points[0].size == size:
            point = self._points.pop(0)
            if not (self._gapless and self._agrees):
                continue
            if self.found.checkpoints and point.time < self.found.checkpoints[-1].time:
                self.fault(f"checkpoint {size}", "It is older than one over fewer leaves.")
            if point.root == self._tree.root:
                self._agreed = size
                self.found.checkpoints.append(point)
            else:
                self.fault(
                    f"leaves {self._agreed + 1} to {size}", "Not those that the checkpoint over them was signed for."
                )
                # What was named once is wrong in every later one too.
                self._agrees = False

    # the tree and the end

    def _take_node(self, stored: Inner) -> None:
        node = Node(stored.level, stored.number)
        if not self._gapless:
            return
        made = self._made.pop(node, None)
        if made is None:
            self.fault(_block(node), "There is a stored node of the tree that is over no such leaves.")
        elif made != stored.hash and self._covers(node):
            self.fault(_block(node), "Not those that the stored node of the tree is over, or the node was changed.")

    def _covers(self, node: Node) -> bool:
        """Tell whether a node is the smallest to differ: those above one that differs differ too."""
        first = self._first_changed
        last = node.first + (1 << node.level)
        if first is not None and node.first <= first < last:
            return False
        self._first_changed = node.first if first is None else first
        return True

    def _check_end(self, end: End) -> None:
        if not self._gapless:
            return
        size = self._tree.size
        if end.seq > size:
            missing = f"leaf {end.seq}" if end.seq == size + 1 else f"leaves {size + 1} to {end.seq}"
            self.fault(missing, "Missing at the end.")
        elif (end.seq, end.peaks) != (size, bytes(self._tree)):
            self.fault("head", "The ledger's head is not that of its leaves.")
        for point in self._points:
            self.fault(f"checkpoint {point.size}", f"It is over more leaves than there are ({size}).")
        for node in self._made:
            self.fault(_block(node), "The stored node of the tree over these leaves is missing.")


def _block(node: Node) -> str:
    first = node.first + 1
    return f"leaves {first} to {first + (1 << node.level) - 1}"
