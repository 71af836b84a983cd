"""Our transports keep the contract that everybody's must keep."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from corepool import Endpoint
from corepool.testing.transport import TransportContract
from corepool_tcp import Tcp
from corepool_unix import Unix

if TYPE_CHECKING:
    from pathlib import Path

    from corepool import Transport


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


class TestTcp(TransportContract):
    wrong_urls = ("tcp://127.0.0.1", "tcp://[::1]", "tcp://127.0.0.1:80/path", "tcp:80", "tcp://")

    def make(self) -> Transport:
        return Tcp()

    def endpoint(self, folder: Path) -> Endpoint:  # noqa: ARG002
        return Endpoint.parse("tcp://127.0.0.1:0")


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 loopback")
class TestTcpOverIPv6(TransportContract):
    def make(self) -> Transport:
        return Tcp()

    def endpoint(self, folder: Path) -> Endpoint:  # noqa: ARG002
        return Endpoint.parse("tcp://[::1]:0")


class TestTcpByName(TransportContract):
    def make(self) -> Transport:
        return Tcp()

    def endpoint(self, folder: Path) -> Endpoint:  # noqa: ARG002
        return Endpoint.parse("tcp://localhost:0")


class TestUnix(TransportContract):
    wrong_urls = (
        "unix:",
        "unix:@",
        "unix:run/x.sock",
        "unix://run/x.sock",
        "unix:///run/",
        "unix:@name?mode=0660",
        "unix:///" + 107 * "x",
        "unix:@" + 107 * "x",
        "unix:///" + 54 * "é",
        "unix:///nul\0byte",
    )

    def make(self) -> Transport:
        return Unix(Unix.Options())

    def endpoint(self, folder: Path) -> Endpoint:
        return Endpoint.parse(f"unix://{folder}/pool.sock")


class TestUnixAbstract(TransportContract):
    def make(self) -> Transport:
        return Unix(Unix.Options())

    def endpoint(self, folder: Path) -> Endpoint:
        # The folder's own path is unique to the test and the machine.
        return Endpoint.parse(f"unix:@corepool{str(folder)[-80:]}")
