"""Connections with TLS in a worker's service, over real descriptors in this process."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from certificates import client_context, server_context
from layers import Layered

from corepool import CloseReason, hookimpl
from corepool.testing.served import ServedHere
from corepool.tls.layer import TlsLayer

if TYPE_CHECKING:
    from collections.abc import Mapping


class Facts:
    """An echo that notes the facts of its connections at their beginning and at their end."""

    def __init__(self) -> None:
        self.at_accept: list[Mapping[str, object]] = []
        self.at_close: list[tuple[CloseReason, Mapping[str, object]]] = []

    @hookimpl
    def on_accept(self, conn: Any) -> None:
        self.at_accept.append(dict(conn.facts))

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        conn.send(conn.recv())

    @hookimpl
    def on_close(self, conn: Any, reason: CloseReason) -> None:
        self.at_close.append((reason, dict(conn.facts)))


def shake_hands(here: ServedHere, client: socket.socket) -> ssl.SSLSocket:
    """Return the client's end with TLS; both ends are served by this thread."""
    with_tls = client_context().wrap_socket(client, server_hostname="localhost", do_handshake_on_connect=False)

    def is_over() -> bool:
        try:
            with_tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    here.turn_until(is_over)
    return with_tls


@pytest.mark.parametrize("is_proper", [True, False], ids=["close_notify", "truncated"])
def test_the_end_of_a_client_is_told_as_it_was(is_proper: bool) -> None:  # noqa: FBT001
    protocol, context = Facts(), server_context()
    with ServedHere(protocol, transport=Layered(lambda: [TlsLayer(context)])) as here:
        client = shake_hands(here, here.connect())
        client.send(b"hello")
        here.turn_until(lambda: bool(client.pending()) or _has_read(client))
        if is_proper:
            with pytest.raises(ssl.SSLWantReadError):
                client.unwrap()
        client.shutdown(socket.SHUT_WR)
        here.turn_until(lambda: bool(protocol.at_close))
        client.close()

    (begun,) = protocol.at_accept
    ((reason, ended),) = protocol.at_close
    assert (begun["tls"], begun["truncated"]) == ("TLSv1.3", False)
    assert (reason, ended["truncated"]) == (CloseReason.EOF, not is_proper)


def _has_read(client: ssl.SSLSocket) -> bool:
    try:
        return client.recv(10) == b"hello"
    except ssl.SSLWantReadError:
        return False
