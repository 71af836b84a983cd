"""Our protocols keep the contract that everybody's must keep, over TCP and UNIX sockets, however they are written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

import pytest

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


WAYS = """
import asyncio, socketserver
from corepool.streams import BlockingProtocol, StreamProtocol

class Coroutine(StreamProtocol):
    async def handle(self, stream):
        async for line in stream:
            stream.write(line.upper())
            await stream.drain()

class Thread(BlockingProtocol):
    def handle(self, stream):
        for line in stream.rfile:
            stream.wfile.write(line.upper())

class Hosted(asyncio.Protocol):
    rest = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        *lines, self.rest = (self.rest + data).split(b"\\n")
        self.transport.writelines([line.upper() + b"\\n" for line in lines])

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()

async def hosted(reader, writer):
    try:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
    except (ConnectionError, ValueError):
        pass
    writer.close()

class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())
"""


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
            "ways-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: ways\nVersion: 1\n",
            "ways-1.dist-info/entry_points.txt": "[corepool.protocols]\nco = ways:Coroutine\nthread = ways:Thread\n",
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
