"""Connections that an old master leaves to the new one."""

from __future__ import annotations

import json
import os
import socket

from corepool.ipc.channel import Channel
from corepool.ipc.new_connections import NewConnections
from corepool.ipc.shapes import SocketIndex
from corepool.master.inheritance import VARIABLE, Inheritance
from corepool.master.loop import Loop


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
