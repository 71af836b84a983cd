"""The requests of a protocol that doesn't count its own: events that brought data, and no others."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

import pytest
from layers import Layered, Nothing

from corepool import hookimpl
from corepool.testing.served import Plain, ServedHere

if TYPE_CHECKING:
    from corepool import Transport


class Echo:
    @hookimpl
    def on_readable(self, conn: Any) -> None:
        conn.send(conn.recv())


class Reader:
    """Reads until there is nothing more, as many protocols do."""

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        while data := conn.recv():
            conn.send(data)


def counted(here: ServedHere) -> int:
    return here.service.events - here.service.site.ends


@pytest.mark.parametrize("transport", [Plain(), Layered(lambda: (Nothing(),))], ids=["plain", "layer"])
@pytest.mark.parametrize("protocol", [Echo, Reader])
def test_the_end_of_input_is_no_request(protocol: type[object], transport: Transport) -> None:
    with ServedHere(protocol(), transport=transport) as here:
        client = here.connect()
        here.turn()  # a layer opens
        for number in (1, 2):
            client.send(b"x" * 100)
            here.turn()
            assert counted(here) == number
            assert client.recv(1000) == b"x" * 100
        client.shutdown(socket.SHUT_WR)
        here.turn_until(lambda: not here.connections())
        assert counted(here) == 2
        assert here.service.events > 2, "the end was an event"
        client.close()


@pytest.mark.parametrize("protocol", [Echo, Reader])
def test_data_that_comes_with_the_end_is_one_request(protocol: type[object]) -> None:
    with ServedHere(protocol()) as here:
        client = here.connect()
        client.send(b"x")
        client.shutdown(socket.SHUT_WR)
        here.turn_until(lambda: not here.connections())
        assert counted(here) == 1
        client.close()


@pytest.mark.parametrize("transport", [Plain(), Layered(lambda: (Nothing(),))], ids=["plain", "layer"])
def test_a_client_that_resets_has_asked_for_nothing(transport: Transport) -> None:
    with ServedHere(Echo(), transport=transport) as here, socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
        ours.setblocking(False)
        here.service.take_handed_over(ours.detach())
        here.turn()
        client.send(b"x")
        here.turn_until(lambda: counted(here) == 1)
        assert client.recv(10) == b"x"
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        here.turn_until(lambda: not here.connections())
        assert counted(here) == 1
