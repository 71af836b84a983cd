"""Connections that an old master leaves to the new one."""

from __future__ import annotations

import errno
import json
import os
import socket
from typing import TYPE_CHECKING

from corepool.ipc.channel import Channel
from corepool.ipc.new_connections import NewConnections
from corepool.ipc.shapes import SocketIndex
from corepool.master.inheritance import VARIABLE, Inheritance
from corepool.master.loop import Loop

if TYPE_CHECKING:
    import pytest


def test_one_that_can_not_be_made_so_is_closed_and_the_others_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    listening = os.open("/dev/null", os.O_RDONLY)
    old, new = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    told = {"channel": new.detach(), "sockets": [["tcp://127.0.0.1:1", listening, "web"]]}
    inheritance = Inheritance({VARIABLE: json.dumps(told)})
    loop = Loop()
    adopted: list[int] = []
    inheritance.say_ready(loop, lambda _, fd, __: adopted.append(fd), lambda: None)
    channel = Channel(old)
    errors = iter([OSError(errno.ENOMEM, "no memory"), None])

    def set_blocking(fd: int, blocking: bool) -> None:  # noqa: ARG001, FBT001
        error = next(errors)
        if error is not None:
            raise error

    monkeypatch.setattr(os, "set_blocking", set_blocking)
    pairs = [socket.socketpair() for _ in range(2)]
    channel.send(NewConnections(SocketIndex(0), 2), [served.fileno() for _, served in pairs])
    while not adopted:
        loop.turn(1)
    for _, served in pairs:
        served.close()
    try:
        (first, _), _ = pairs
        assert first.recv(1) == b"", "it is closed"
        assert len(adopted) == 1
    finally:
        for fd in (*adopted, listening):
            os.close(fd)
        for client, _ in pairs:
            client.close()
        inheritance.close()
        channel.close()
        loop.close()


def test_they_do_not_block_whatever_the_old_master_has_made_of_them() -> None:
    listening = os.open("/dev/null", os.O_RDONLY)
    old, new = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    told = {"channel": new.detach(), "sockets": [["tcp://127.0.0.1:1", listening, "web"]]}
    inheritance = Inheritance({VARIABLE: json.dumps(told)})
    loop = Loop()
    adopted: list[int] = []
    inheritance.say_ready(loop, lambda _, fd, __: adopted.append(fd), lambda: None)
    channel = Channel(old)
    client, served = socket.socketpair()
    with client, served:
        assert os.get_blocking(served.fileno())  # as those of masters that accepted without SOCK_NONBLOCK
        channel.send(NewConnections(SocketIndex(0), 1), [served.fileno()])
        while not adopted:
            loop.turn(1)
    try:
        assert not os.get_blocking(adopted[0])
    finally:
        for fd in (adopted[0], listening):
            os.close(fd)
        inheritance.close()
        channel.close()
        loop.close()
