"""The transport by itself, and under a real pool."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from corepool import Endpoint
from corepool.testing.transport import TransportContract
from pydantic import ValidationError

from example_plugin import ExamplePlugin

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pools import Pools

FREE_PORT = "example-plugin://127.0.0.1:0"


class TestContract(TransportContract):
    """The contract: bytes as they are, errors in words, nothing left open."""

    wrong_urls = (
        "example-plugin://127.0.0.1",
        "example-plugin://:7000",
        "example-plugin://127.0.0.1:7000/path",
    )

    def make(self) -> ExamplePlugin:
        return ExamplePlugin(ExamplePlugin.Options())

    def endpoint(self, folder: Path) -> Endpoint:  # noqa: ARG002
        return Endpoint.parse(FREE_PORT)


def test_accepted_connections_inherit_when_they_are_asked() -> None:
    transport = ExamplePlugin(ExamplePlugin.Options(quiet=7))

    with transport.listen(Endpoint.parse(FREE_PORT), 16) as listening:
        listening.setblocking(True)
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 7


def test_an_option_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValidationError, match="quiet"):
        ExamplePlugin.Options(quiet=0)


def test_a_pool_serves_over_it(pool: Pools) -> None:
    running = pool.serve("echo", "-b", f"{FREE_PORT}?quiet=30", "-w", "1")

    with running.connect() as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
