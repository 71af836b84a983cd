"""Handshakes that fail are counted by reason and logged, whatever the client does."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from certificates import client_context, server_context
from layers import Layered

from corepool import hookimpl
from corepool.testing.served import ServedHere
from corepool.tls.layer import TlsLayer

if TYPE_CHECKING:
    from collections.abc import Callable


class Unmet:
    """Must not hear of any connection."""

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        raise AssertionError(conn)


def say(data: bytes) -> Callable[[socket.socket], object]:
    return lambda client: client.send(data)


def hello(change: Callable[[ssl.SSLContext], object] = lambda _: None) -> bytes:
    """Return a client's first record."""
    context, outgoing = client_context(), ssl.MemoryBIO()
    change(context)
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def only_old_ciphers(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA")


def only_tls_1_1(context: ssl.SSLContext) -> None:
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1


def leave_after(data: bytes) -> Callable[[socket.socket], object]:
    def leave(client: socket.socket) -> None:
        client.send(data)
        client.shutdown(socket.SHUT_WR)

    return leave


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize(
    ("does", "reason", "answer"),
    [
        (say(b"GET / HTTP/1.1\r\n\r\n"), "plain_http", b"HTTP/1.1 400 "),
        (say(b"PING\r\n"), "not_tls", b""),
        (leave_after(b""), "reset", b""),
        (leave_after(hello()[:20]), "reset", b""),
        (lambda client: client.send(hello(only_old_ciphers)), "no_shared_cipher", b"\x15\x03"),
        (lambda client: client.send(hello(only_tls_1_1)), "version", b"\x15\x03"),
        (say(b"\x16\x03\x01\x02\x00\x01\xff\xff\xff" + b"\0" * 600), "other", b"\x15\x03"),
    ],
    ids=["http", "another protocol", "nothing", "half a hello", "old ciphers", "an old version", "a huge hello"],
)
def test_a_handshake_that_fails_is_counted_and_logged_with_its_reason(
    does: Callable[[socket.socket], object], reason: str, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    context, received = server_context(), b""
    with ServedHere(Unmet(), transport=Layered(lambda: [TlsLayer(context)])) as here, here.connect() as client:
        does(client)
        here.turn_until(lambda: here.connections() == [])
        try:
            received = client.recv(100)
        except ConnectionResetError:
            assert not answer
        assert received.startswith(answer)
        failed = here.service.handshakes.failed

    assert {name: count for name, count in failed.items() if count} == {reason: 1}
    assert here.service.layer_failures == 1
    assert f"handshake_failed listener=test peer=memory reason={reason}" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_client_that_is_too_slow_is_counted() -> None:
    context = server_context()
    layered = Layered(lambda: [TlsLayer(context, handshake_timeout=0.01)])
    with ServedHere(Unmet(), transport=layered) as here, here.connect():
        here.loop.call_later(0.001, lambda: None)

        def is_over() -> bool:
            here.loop.call_soon(here.loop.stop)
            here.loop.run_forever()
            return here.connections() == []

        here.turn_until(is_over)
        assert here.service.handshakes.failed["timeout"] == 1


def test_many_failures_are_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    context = server_context()
    with ServedHere(Unmet(), transport=Layered(lambda: [TlsLayer(context)])) as here:
        for _ in range(50):
            with here.connect() as client:
                client.send(b"nonsense")
                here.turn_until(lambda: here.connections() == [])
        assert here.service.handshakes.failed["not_tls"] == 50

    assert caplog.text.count("handshake_failed") < 50
