"""Small requests, one after the other, while a large upload or download goes over the same connection of HTTP/2."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

from benchmarks.load import h2_raw
from benchmarks.load.h2_raw import DATA, END_STREAM, FRAME_BYTES, HEADERS, WINDOW_UPDATE, RawClient, frame, request
from benchmarks.processes import pinned

if TYPE_CHECKING:
    from benchmarks.load.h2_raw import Frame

SMALL = 100
WINDOW = 6 << 20
"""Of a stream: Chromium's."""

_BLOCK = bytes(FRAME_BYTES)
_LARGE = 1


class _Transfer:
    """One large transfer, and the small requests beside it."""

    def __init__(self, client: RawClient, size: int, *, up: bool) -> None:
        self.delays_s: list[float] = []
        self.is_whole = False
        self._client = client
        self._size = size
        self._up = up
        self._left = size if up else 0
        """Bytes to send."""
        self._room = client.first_room
        """Of the stream."""
        self._moved = 0
        self._small = 0
        """The stream of the small request that is waited for."""
        self._next = _LARGE + 2
        self._asked_at = 0.0

    def begin(self) -> None:
        target = "/up" if self._up else f"/down/{self._size}"
        self._client.socket.sendall(request(_LARGE, target, posts=self._up))

    @property
    def can_send(self) -> bool:
        return self._left > 0 and min(self._room, self._client.room) > 0

    def send(self) -> None:
        """Send a frame of content, or less if the windows are smaller."""
        count = min(self._left, self._room, self._client.room, FRAME_BYTES)
        self._left -= count
        self._room -= count
        self._client.room -= count
        self._move(count)
        self._client.socket.sendall(frame(DATA, 0 if self._left else END_STREAM, _LARGE, _BLOCK[:count]))

    def ask(self) -> None:
        """Send the next small request, if it is due: they are spread over the transfer."""
        if self._small or len(self.delays_s) >= SMALL or self._moved < len(self.delays_s) * self._size // SMALL:
            return
        self._small, self._next = self._next, self._next + 2
        self._asked_at = time.perf_counter()
        self._client.socket.sendall(request(self._small, f"/item/{self._small}"))

    def meet(self, found: Frame) -> None:
        kind, flags, stream, size = found
        if kind == WINDOW_UPDATE and stream == _LARGE:
            self._room += size
        elif kind == DATA and stream == _LARGE:
            self._move(size)
        if kind in {DATA, HEADERS} and flags & END_STREAM:
            if stream == _LARGE:
                self.is_whole = not self._left
            elif stream == self._small:
                self.delays_s.append(time.perf_counter() - self._asked_at)
                self._small = 0

    def _move(self, count: int) -> None:
        self._moved += count


def run(port: int, size: int, core: int, *, up: bool) -> tuple[float, int]:
    """Move `size` bytes, and ask for small things meanwhile.

    :returns: the delay of the slowest small answer in ms, and how many did not come.
    :raises BenchError: the server ended the connection, or a stream.
    """
    with pinned(core):
        client = RawClient(port, WINDOW)
        try:
            started = False

            def wait_for_settings(found: Frame) -> None:
                nonlocal started
                started = started or found[0] == h2_raw.SETTINGS

            while not started:
                client.receive(wait_for_settings)
            transfer = _Transfer(client, size, up=up)
            transfer.begin()
            while not (transfer.is_whole and len(transfer.delays_s) == SMALL):
                transfer.ask()
                wants_to = [client.socket] if transfer.can_send else []
                readable, writable, _ = select.select([client.socket], wants_to, [], 60)
                if readable:
                    client.receive(transfer.meet)
                elif writable and transfer.can_send:
                    transfer.send()
                else:
                    break
        finally:
            client.close()
    return max(transfer.delays_s, default=0.0) * 1000, SMALL - len(transfer.delays_s)
