"""Our protocols keep the contract that everybody's must keep, over TCP and over UNIX sockets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from corepool.testing.protocol import ProtocolContract

if TYPE_CHECKING:
    from collections.abc import Sequence


class TestEcho(ProtocolContract):
    serve_arguments: ClassVar[Sequence[str]] = ("echo",)
    request = b"The quick brown fox jumps over the lazy dog.\n"
    reply = request


class TestEchoOverUnixSocket(TestEcho):
    bind = f"unix:@corepool-contract-{os.getpid()}"


class TestEchoWhereWorkersAccept(TestEcho):
    serve_arguments = ("echo", "-d", "kernel")
