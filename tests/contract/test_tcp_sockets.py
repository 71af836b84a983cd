"""The sockets that the tcp transport makes of a URL, and the options that accepted connections inherit."""

from __future__ import annotations

import socket

import pytest

from corepool import Address, Endpoint
from corepool_tcp import Tcp

BACKLOG = 16


def listen(url: str) -> tuple[socket.socket, str]:
    transport, endpoint = Tcp(), Endpoint.parse(url)
    transport.check(endpoint)
    listening = transport.listen(endpoint, BACKLOG)
    return listening, transport.url(endpoint, listening)


@pytest.mark.parametrize("url", ["tcp://:0", "tcp://*:0"])
def test_no_host_means_every_ipv4_address(url: str) -> None:
    listening, bound = listen(url)

    with listening:
        assert bound == f"tcp://0.0.0.0:{listening.getsockname()[1]}"


def test_accepted_connections_inherit_nodelay_and_keepalive() -> None:
    listening, _ = listen("tcp://127.0.0.1:0")

    with listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_host_that_does_not_resolve_is_named() -> None:
    # RFC 2606 keeps .invalid free for ever; without a resolver the answer is an error just the same.
    with pytest.raises(OSError, match=r"can't resolve the host 'no\.such\.invalid'"):
        listen("tcp://no.such.invalid:0")


def test_address_that_cannot_be_bound_is_explained() -> None:
    listening, bound = listen("tcp://127.0.0.1:0")

    with listening, pytest.raises(OSError, match="another server listens there"):
        listen(bound)
    with pytest.raises(OSError, match="this machine has no such address"):
        listen("tcp://192.0.2.1:0")  # RFC 5737: in documentation only, on no machine


def test_ipv6_addresses_are_written_in_brackets() -> None:
    assert str(Tcp().address(("::1", 80, 0, 0))) == "[::1]:80"
    assert Tcp().address(("::1", 80, 0, 0)) == Address("::1", 80)


def test_ipv4_and_ipv6_wildcards_share_a_port() -> None:
    try:
        six, bound = listen("tcp://[::]:0")
    except OSError:
        pytest.skip("this machine has no IPv6")
    port = bound.rpartition(":")[2]

    with six:
        four, _ = listen(f"tcp://0.0.0.0:{port}")
        four.close()
