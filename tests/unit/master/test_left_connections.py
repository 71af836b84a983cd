"""Connections that an old master leaves to the new one."""

from __future__ import annotations

import errno
import json
import os
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from corepool.ipc.channel import Channel
from corepool.ipc.new_connections import NewConnections
from corepool.ipc.shapes import SocketIndex
from corepool.master.inheritance import VARIABLE, Inheritance
from corepool.master.loop import Loop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Left:
    """A new master that adopts connections, and the channel on which the old one leaves them."""

    def __init__(self) -> None:
        listening = os.open("/dev/null", os.O_RDONLY)
        old, new = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        told = {"channel": new.detach(), "sockets": [["tcp://127.0.0.1:1", listening, "web"]]}
        inheritance = Inheritance({VARIABLE: json.dumps(told)})
        self.adopted: list[int] = []
        self._loop = Loop()
        inheritance.say_ready(self._loop, lambda _, fd, __: self.adopted.append(fd), lambda: None)
        self._channel = Channel(old)
        self._closes = (inheritance.close, self._channel.close, self._loop.close, lambda: os.close(listening))

    def leave(self, served: Sequence[socket.socket]) -> None:
        """Leave connections, until one is adopted."""
        self._channel.send(NewConnections(SocketIndex(0), len(served)), [each.fileno() for each in served])
        while not self.adopted:
            self._loop.turn(1)

    def close(self) -> None:
        for fd in self.adopted:
            os.close(fd)
        for close in self._closes:
            close()


@pytest.fixture
def left() -> Iterator[Left]:
    with closing(Left()) as left:
        yield left


def test_one_that_can_not_be_made_so_is_closed_and_the_others_are_taken(
    left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = iter([OSError(errno.ENOMEM, "no memory"), None])

    def set_blocking(_fd: int, _blocking: bool) -> None:  # noqa: FBT001  # as os has it
        error = next(errors)
        if error is not None:
            raise error

    monkeypatch.setattr(os, "set_blocking", set_blocking)
    pairs = [socket.socketpair() for _ in range(2)]
    left.leave([served for _, served in pairs])
    for _, served in pairs:
        served.close()
    (first, _), (second, _) = pairs
    with first, second:
        assert first.recv(1) == b"", "it is closed"
        assert len(left.adopted) == 1


def test_they_do_not_block_whatever_the_old_master_has_made_of_them(left: Left) -> None:
    client, served = socket.socketpair()
    with client, served:
        assert os.get_blocking(served.fileno())  # as those of masters that accepted without SOCK_NONBLOCK
        left.leave([served])
    assert not os.get_blocking(left.adopted[0])
