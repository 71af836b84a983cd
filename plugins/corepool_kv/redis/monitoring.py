"""MONITOR: clients that are sent a line for each command of every worker.

A worker publishes lines on the bus while any client monitors, and does no more than look at a field of its own
otherwise. It learns of the first one by a question of that one's worker, which waits for the answers, and looks itself
once a second.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from corepool_kv.redis.output_bound import OutputBound
from corepool_kv.redis.session import REPLY_OFF

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corepool import Listening, Worker
    from corepool_kv.redis.session import Session

_MAX_LINE_BYTES = 500_000
"""The bus takes 1 MiB. Longer lines are cut to some words, and these to some bytes."""
_CUT_WORDS, _CUT_WORD_BYTES = 100, 1000

_ESCAPES = {0x22: b'\\"', 0x5C: b"\\\\", 0x0A: b"\\n", 0x0D: b"\\r", 0x09: b"\\t", 0x07: b"\\a", 0x08: b"\\b"}
_UNPLAIN = re.compile(rb'[^\x20-\x7e]|["\\]')


class Monitoring:
    """The clients of one listener in one worker that monitor, and whether any does, in whichever worker."""

    def __init__(self, worker: Worker, topic: bytes, log_slow: Callable[[object, int], None]) -> None:
        """Begin without clients; the bus is used from the first one on."""
        self._worker = worker
        self._topic = topic
        self._log_slow = log_slow
        self._listening: Listening | None = None
        self._bounds: dict[Session, OutputBound] = {}
        self.is_on = False
        """A client of some worker monitors."""

    def look(self) -> None:
        """Find out whether any client monitors."""
        self.is_on = self._worker.bus.subscribers(self._topic) > 0

    def begin(self, session: Session) -> None:
        """Send a client all lines from now on. Idempotent.

        :raises OSError: the system has no descriptor or memory for it.
        """
        if self._listening is None:
            self._listening = self._worker.bus.listen(self._on_line, [self._topic], on_lost=self._on_lost)
        self._bounds.setdefault(session, OutputBound(self._log_slow))
        self.look()

    def end(self, session: Session) -> None:
        """Send a client no more. Idempotent."""
        self._bounds.pop(session, None)
        if self._listening is not None and not self._bounds:
            self._listening.close()
            self._listening = None
            self.look()

    def close(self) -> None:
        """End for all clients."""
        if self._listening is not None:
            self._listening.close()

    def feed(self, database: int, source: str, words: Sequence[bytes]) -> None:
        """Send a command to all that monitor.

        :param source: the client's address, or "lua".
        :param words: as they may be shown.
        """
        if 4 * sum(map(len, words)) + 3 * len(words) > _MAX_LINE_BYTES:  # "\\x00" for a byte; quotes and a blank
            words = [_cut(word) for word in words[:_CUT_WORDS]]
        seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
        head = f"+{seconds}.{microseconds:06} [{database} {source}]".encode(errors="replace")
        self._worker.bus.publish(self._topic, b" ".join([head, *map(quoted, words)]) + b"\r\n")

    def _on_line(self, topic: bytes, line: bytes) -> None:  # noqa: ARG002
        for session, bound in list(self._bounds.items()):
            if session.reply_mode != REPLY_OFF:
                session.conn.send(line)
                bound.check(session.conn)

    def _on_lost(self, count: int) -> None:  # noqa: ARG002
        for session, bound in list(self._bounds.items()):
            bound.cut(session.conn)


def source_of(session: Session) -> str:
    """Return the address of a client, as Redis's MONITOR shows it."""
    peer = session.conn.peer
    return f"unix:{session.conn.local}" if peer.port is None else str(peer)


def quoted(word: bytes) -> bytes:
    """Return a word in quotes, as Redis writes it (sdscatrepr)."""
    return b'"%b"' % _UNPLAIN.sub(lambda found: _ESCAPES.get(found[0][0], b"\\x%02x" % found[0][0]), word)


def _cut(word: bytes) -> bytes:
    left = len(word) - _CUT_WORD_BYTES
    return word if left <= 0 else b"%b... (%d more bytes)" % (word[:_CUT_WORD_BYTES], left)
