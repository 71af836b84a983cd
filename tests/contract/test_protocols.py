"""Our protocols keep the contract that everybody's must keep, over TCP and over UNIX sockets."""

from __future__ import annotations

import os

from corepool.testing.protocol import ProtocolContract


class TestEcho(ProtocolContract):
    serve_arguments = ("echo",)
    request = b"The quick brown fox jumps over the lazy dog.\n"
    reply = request


class TestEchoOverUnixSocket(TestEcho):
    bind = f"unix:@corepool-contract-{os.getpid()}"
