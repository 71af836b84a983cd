"""The descriptors that a process accepts do not block, and go to no program that it starts."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

import pytest

from corepool.system.accepting import ExhaustedError, accept_one, accept_unknown

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("accept", [accept_one, accept_unknown])
def test_an_accepted_descriptor_neither_blocks_nor_is_inherited(
    accept: Callable[[socket.socket], tuple[int, object] | None],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()):
        listening.setblocking(False)
        accepted = accept(listening)
        assert accepted is not None
        fd, _ = accepted
        try:
            assert not os.get_blocking(fd)
            assert not os.get_inheritable(fd)
        finally:
            os.close(fd)
        assert accept(listening) is None


def test_a_descriptor_that_can_not_be_made_so_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, blocking: bool) -> None:  # noqa: ARG001, FBT001
        raise OSError(errno.ENOMEM, "no memory")

    monkeypatch.setattr(os, "set_blocking", refuse)
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as client,
    ):
        listening.setblocking(False)
        with pytest.raises(ExhaustedError):
            accept_one(listening)
        assert client.recv(1) == b""
