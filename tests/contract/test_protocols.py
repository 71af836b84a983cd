"""Our protocols keep the contract that every plugin's must keep, in every style, over TCP and UNIX sockets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

import pytest
from sources import metadata, source

from corepool.testing.pool import PoolProcess
from corepool.testing.protocol import ProtocolContract

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class TestEcho(ProtocolContract):
    serve_arguments: ClassVar[Sequence[str]] = ("echo",)
    request = b"The quick brown fox jumps over the lazy dog.\n"
    reply = request


class TestEchoOverUnixSocket(TestEcho):
    bind = f"unix:@corepool-contract-{os.getpid()}"


class TestEchoWhereWorkersAccept(TestEcho):
    serve_arguments = ("echo", "-d", "kernel")


WAYS = source("plugins/ways.py")


class WayContract(ProtocolContract):
    """The same protocol, written in another way."""

    __test__ = False
    request = b"The quick brown fox jumps over the lazy dog.\n"
    reply = request.upper()

    @pytest.fixture(scope="class")
    @classmethod
    def pool(cls) -> Iterator[PoolProcess]:
        files = {
            "ways.py": WAYS,
            **metadata("ways", "[corepool.protocols]\nco = ways:Coroutine\nthread = ways:Thread\n"),
        }
        with PoolProcess.serve(*cls.serve_arguments, "-b", cls.bind, "-w", "2", files=files) as pool:
            yield pool
            pool.stop()
            assert "Traceback" not in pool.stderr, pool.stderr


class TestStreamProtocol(WayContract):
    __test__ = True
    serve_arguments = ("co",)


class TestBlockingProtocol(WayContract):
    __test__ = True
    serve_arguments = ("thread",)


class TestHostedProtocol(WayContract):
    __test__ = True
    serve_arguments = ("asyncio", "ways:Hosted", "-o", "idle_after=0.2")


class TestHostedCoroutine(WayContract):
    __test__ = True
    serve_arguments = ("asyncio", "ways:hosted", "-o", "idle_after=0.2")


class TestHostedHandler(WayContract):
    __test__ = True
    serve_arguments = ("socketserver", "ways:Handler")
