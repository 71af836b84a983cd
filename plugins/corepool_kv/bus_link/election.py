"""The choice of the one bridge of a master's bus, which all its pools share. Does no I/O but on the bus.

One worker of each pool is a candidate. It asks whether there is a bridge, becomes it if none answers, and says so a few
times a second. When two have become it at a time, the younger one leaves. Tickets begin with the time, which is one for
all processes of a host.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from corepool import Bus

_ASKED, _IS = b"?", b"!"

ANSWER_S = 0.1
"""So long a candidate waits for an answer."""

BEAT_S = 0.25
SILENCE_S = 1.0
"""A bridge that has said nothing for so long has ended."""


class Election:
    """A candidate. Runs in: the loop's thread of a worker."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        bus: Bus,
        topic: bytes,
        on_win: Callable[[], None],
        on_leave: Callable[[], None],
    ) -> None:
        """Ask, as soon as answers would come here.

        :param on_win: called when this worker is the bridge.
        :param on_leave: called when it is the bridge no more.
        """
        self._loop = loop
        self._bus = bus
        self._topic = topic
        self._on_win = on_win
        self._on_leave = on_leave
        self._ticket = time.monotonic_ns().to_bytes(8) + os.urandom(8)
        self.is_bridge = False
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._listening = bus.listen(self._heard, [topic])
        self._listening.when_active(self._ask)

    def close(self) -> None:
        """Be no candidate any more."""
        self._is_closed = True
        self._listening.close()
        if self._timer is not None:
            self._timer.cancel()

    def _ask(self) -> None:
        if not self._is_closed:
            self._say(_ASKED)
            self._after(ANSWER_S, self._win)

    def _win(self) -> None:
        self.is_bridge = True
        self._beat()
        self._on_win()

    def _beat(self) -> None:
        self._say(_IS)
        self._after(BEAT_S, self._beat)

    def _stand_by(self) -> None:
        """Ask again when the bridge has been silent for a while."""
        self._after(SILENCE_S, self._ask)
        if self.is_bridge:
            self.is_bridge = False
            self._on_leave()

    def _heard(self, topic: bytes, data: bytes) -> None:  # noqa: ARG002
        kind, ticket = data[:1], data[1:]
        if ticket == self._ticket or self._is_closed:
            return
        is_older = ticket < self._ticket
        if kind == _IS and (is_older or not self.is_bridge):
            self._stand_by()
        elif kind == _IS or self.is_bridge:
            self._say(_IS)
        elif is_older:  # both ask
            self._stand_by()

    def _say(self, kind: bytes) -> None:
        self._bus.publish(self._topic, kind + self._ticket)

    def _after(self, seconds: float, call: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, call)
