"""The layers of one connection, and its output: plaintext waits in an outbox until the wire has room.

Sans-I/O, as each layer: the connection reads and writes. Towards the connection it behaves as an `Outbox`. Output is
transformed a chunk at a time, when it is about to leave: so all output of a hook becomes one record, a file is never
held in memory, and the limits are those of plaintext.

Layers that are put on a connection later begin behind its unsent output, which leaves as it is: the *clear* text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.hot.filesegment import CHUNK_BYTES, FileSegment
from corepool.hot.layer_errors import LayerError, LayerOutputError
from corepool.hot.layer_input import LayerInput
from corepool.hot.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool.spec.layer import Layer

READ_BYTES = 65_536
"""Bytes read from the wire at a time, when all plaintext of those before was read."""

MAX_UNREAD = READ_BYTES
"""Bytes of unread plaintext at which the layers are fed no further; that of one piece comes on top."""


class Layers:
    """A stack of at least one layer, the first nearest to the wire. It raises their exceptions as LayerErrors only."""

    __slots__ = (
        "_clear",
        "_input",
        "_is_told",
        "_open",
        "_outbox",
        "_plain",
        "_seen",
        "_stack",
        "_taken",
        "_wire",
        "facts",
        "failed",
        "finished",
        "only",
        "queued",
        "served_at",
    )

    def __init__(self, stack: Iterable[Layer], clear: Outbox | None = None) -> None:
        """Begin; no method of a layer was called yet.

        :param clear: output that leaves before all other, as it is.
        """
        self._clear = clear or None
        self._stack = tuple(stack)
        self._input = LayerInput(self._stack)
        self._outbox = Outbox()
        self._wire: bytes | memoryview = b""
        self._plain = b""
        self._taken = 0
        self._seen = 0
        """Bytes of plaintext that were looked at, and not taken."""
        self._open = False
        self._is_told = False
        self.facts: dict[str, object] = {}
        self.only: Layer | None = self._stack[0] if len(self._stack) == 1 else None
        """The layer, if there is just one: as with TLS alone, which has short ways."""
        self.finished = False
        """Nothing more comes from the layers: `finish`, `fail` or `clear` was called."""
        self.failed = False
        """`fail` was called."""
        self.queued = False
        """The connection is on the reactor's list of the unread, for `holds_input`."""
        self.served_at = 0.0
        """The reactor's time when the protocol, or the handshake, was last served."""

    @property
    def is_clear_sent(self) -> bool:
        """Whether all clear text has left."""
        return self._clear is None

    @property
    def is_open(self) -> bool:
        """Whether `open` has returned True."""
        return self._open

    @property
    def opening_timeout(self) -> float:
        """Seconds that all layers together may take to open."""
        return sum(layer.opening_timeout for layer in self._stack)

    def open(self) -> bool:
        """Return whether plaintext may pass: every layer is open. Once it may, that stays so.

        :raises LayerError: of a layer.
        """
        if not self._open:
            try:
                if self._collect():  # also before any input: a layer may speak first
                    self._ask_for_facts()
                    self._open = True
            except HOOK_ERRORS as error:
                raise LayerError(error) from error
        return self._open

    # --- input

    @property
    def holds_input(self) -> bool:
        """Whether the protocol may read something, bytes or the end, without another event of the descriptor."""
        return len(self._plain) > self._seen or self._input.has_more or (self._input.has_ended and not self._is_told)

    @property
    def has_ended(self) -> bool:
        """Whether no more plaintext comes: all of it is here."""
        return self._input.has_ended

    @property
    def holds_bytes(self) -> bool:
        """Whether bytes have come that the protocol has not taken."""
        return bool(self._plain) or self._input.has_more

    @property
    def is_over(self) -> bool:
        """Whether the end of input was met by `take`."""
        return self._is_told

    def receive(self, data: bytes) -> None:
        """Take bytes from the wire; b"" when the peer has ended its side.

        :raises LayerError: of a layer.
        """
        layer = self.only
        if layer is None or not 0 < len(data) <= layer.input_bytes or not self.is_straight:
            self._input.add(data)
            self.feed()
            return
        try:
            self._plain, self._taken = layer.received(data), 0
            if own := layer.output():
                self._wire = bytes(self._wire) + own
            if layer.has_ended:
                self._input.has_ended = True
                if self._open:
                    self._ask_for_facts()
        except HOOK_ERRORS as error:
            raise LayerError(error) from error

    @property
    def is_straight(self) -> bool:
        """Whether bytes from the wire would be the next that the protocol reads, through one layer."""
        return self.only is not None and not self._plain and not self._input.has_more and not self._input.has_ended

    def add(self, data: bytes) -> None:
        """Take bytes from the wire; the layers are fed later."""
        if data:
            self._input.add(data)

    def peek(self, limit: int) -> bytes:
        """Return the first plaintext, which stays; until more comes, or `take` is called, it is no input to be served.

        To be called before anything was taken.
        """
        self._seen = len(self._plain)
        return self._plain[:limit]

    def hold(self) -> None:
        """Have plaintext that was looked at served as input again."""
        self._seen = 0

    def take(self, limit: int) -> bytes:
        """Return plaintext, or b"" if there is none.

        :raises LayerError: of a layer.
        """
        if not self._plain:
            self.feed()
        if not self._plain:
            self._is_told = self._input.has_ended
            return b""
        begin, end = self._taken, self._taken + limit
        data = self._plain[begin:end]
        if end < len(self._plain):
            self._taken = end  # not cut off: a protocol that reads byte by byte would copy the rest each time
        else:
            self._plain, self._taken = b"", 0
        return data

    def feed(self) -> None:
        """Feed the layers with bytes of the wire that they were not given yet, if little plaintext is unread.

        :raises LayerError: of a layer.
        """
        unread = len(self._plain) - self._taken
        if not self._input.has_more or unread >= MAX_UNREAD:
            return
        pieces = [self._plain[self._taken :]]
        try:
            while self._input.has_more and unread < MAX_UNREAD:
                pieces.append(self._input.step())
                unread += len(pieces[-1])
            self._collect()
            if self._input.has_ended and self._open:
                self._ask_for_facts()  # whether it is a proper end
        except HOOK_ERRORS as error:
            raise LayerError(error) from error
        self._plain, self._taken = b"".join(pieces), 0

    def _ask_for_facts(self) -> None:
        for layer in self._stack:
            self.facts.update(layer.facts)

    # --- output: the methods of an Outbox

    def __len__(self) -> int:
        return len(self._clear or b"") + len(self._wire) + len(self._outbox)

    def __bool__(self) -> bool:
        """Return whether something may leave: plaintext may not before every layer is open."""
        return self._clear is not None or bool(self._wire) or (self._open and bool(self._outbox))

    @property
    def waiting(self) -> int:
        """Bytes of plaintext held in memory behind the front."""
        return self._outbox.waiting + (0 if self._clear is None else self._clear.waiting)

    def append(self, piece: bytes | FileSegment) -> None:
        """Add plaintext."""
        self._outbox.append(piece)

    def front(self) -> bytes | memoryview | FileSegment:
        """Return the next bytes for the wire. Empty if there are none, or if a layer has kept them to itself.

        :raises OSError: a file can't be read.
        :raises EOFError: a file is shorter than promised.
        :raises LayerOutputError: a layer has raised an exception of any class.
        """
        if self._clear is not None:
            return self._clear.front()
        if not self._wire and self._outbox and self._open:
            piece = self._outbox.front()
            if isinstance(piece, FileSegment):
                data = piece.read()
            else:
                data = piece if type(piece) is bytes and len(piece) <= CHUNK_BYTES else bytes(piece[:CHUNK_BYTES])
            try:
                self._wire = self._down(data, len(self._stack))
                self._outbox.advance(len(data))
                self._collect()
            except HOOK_ERRORS as error:
                raise LayerOutputError(error) from error
        return self._wire

    def pass_down(self, limit: int) -> bytes:
        """Return the next bytes for the wire, as `front`, if all output is at most `limit` bytes; else b""."""
        if self._wire:
            own = self._wire  # of the layers alone: a part of their handshake, or their last words
            is_all = self._clear is None and not self._outbox and not self._input.has_more
            return own if is_all and type(own) is bytes and len(own) <= limit else b""
        if self.only is None or not self._open:
            return b""
        piece = self._outbox.front()
        if type(piece) is not bytes or not 0 < len(self._outbox) == len(piece) <= min(limit, CHUNK_BYTES):
            return b""
        try:
            wire = self.only.sent(piece) + self.only.output()
        except HOOK_ERRORS as error:
            raise LayerOutputError(error) from error
        self._outbox.clear()
        self._wire = wire
        return wire

    def advance(self, count: int) -> None:
        """Drop the first `count` bytes for the wire: they were sent."""
        if self._clear is not None:
            self._clear.advance(count)
            if not len(self._clear):
                self._clear = None
            return
        # Not an empty view: it would keep the memory of a record, for as long as the connection is idle.
        self._wire = b"" if count == len(self._wire) else memoryview(self._wire)[count:]

    def clear(self) -> None:
        """Forget all output, and let the layers make no more."""
        self.finished = True
        self._outbox.clear()
        self._wire = b""
        if self._clear is not None:
            self._clear.clear()
            self._clear = None

    # --- the end

    def finish(self) -> None:
        """Have each layer say its last words, the one next to the protocol first. Does nothing the second time.

        :raises LayerError: of a layer; a LayerOutputError once plaintext may pass.
        """
        if self.finished:
            return
        self.finished = True
        try:
            for layer in reversed(self._stack):
                if layer.is_open:
                    layer.finish()
                    self._collect()
        except HOOK_ERRORS as error:
            raise (LayerOutputError if self._open else LayerError)(error) from error

    def fail(self) -> None:
        """Forget the protocol's output, and keep that of the layers: an alert may be in it.

        :raises LayerError: of a layer; then it is forgotten, too.
        """
        self.failed = self.finished = True
        self._outbox.clear()
        try:
            self._collect()
        except HOOK_ERRORS as error:
            self.clear()
            raise LayerError(error) from error

    def _collect(self) -> bool:
        """Take what the layers have to send of their own; True: all are open.

        A layer above one that has not opened yet has to wait.
        """
        for place, layer in enumerate(self._stack):
            own = layer.output()
            if own:
                self._wire = bytes(self._wire) + self._down(own, place)
            if not layer.is_open:
                return False
        return True

    def _down(self, data: bytes, place: int) -> bytes:
        """Pass bytes through the layers below `place`."""
        for layer in reversed(self._stack[:place]):
            data = layer.sent(data)
        return data
