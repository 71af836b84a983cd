"""The system calls of a channel, in Python and in machine code: the same answers, errors included."""

from __future__ import annotations

import errno
import os
import socket
from itertools import product
from typing import TYPE_CHECKING

import pytest

from corepool.ipc import channel
from corepool.ipc.shapes import MAX_FDS, MAX_PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Iterator

SENDS = {"python": channel.send_in_python, "built": channel.send}
RECEIVES = {"python": channel.receive_in_python, "built": channel.receive}
SPACE = socket.CMSG_SPACE(4 * MAX_FDS)

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(params=list(product(SENDS, RECEIVES)), ids="-".join)
def calls(request: pytest.FixtureRequest) -> tuple[str, str]:
    sending, receiving = request.param
    return sending, receiving


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        one.setblocking(False)
        other.setblocking(False)
        yield one, other


@pytest.mark.parametrize("size", [1, 100, MAX_PAYLOAD + 8])
@pytest.mark.parametrize("count", [0, 1, MAX_FDS])
def test_a_record_arrives_with_its_descriptors(pair: Pair, calls: tuple[str, str], size: int, count: int) -> None:
    record = os.urandom(size)

    assert SENDS[calls[0]](pair[0], record, [pair[0].fileno()] * count) == 0
    received = RECEIVES[calls[1]](pair[1], SPACE, 0)

    assert isinstance(received, tuple)
    got, fds, is_cut = received
    assert (got, len(fds), is_cut) == (record, count, False)
    assert not any(os.get_inheritable(fd) for fd in fds)
    assert all(os.path.sameopenfile(fd, pair[0].fileno()) for fd in fds)
    for fd in fds:
        os.close(fd)
    assert RECEIVES[calls[1]](pair[1], SPACE, 0) is None


def test_descriptors_beyond_the_space_are_cut(pair: Pair, calls: tuple[str, str]) -> None:
    SENDS[calls[0]](pair[0], b"x", [pair[0].fileno()] * 4)

    received = RECEIVES[calls[1]](pair[1], socket.CMSG_SPACE(4), 0)

    assert isinstance(received, tuple)
    assert (received[0], received[2]) == (b"x", True)
    for fd in received[1]:
        os.close(fd)


def test_errors_are_numbers(pair: Pair, calls: tuple[str, str]) -> None:
    send, receive = SENDS[calls[0]], RECEIVES[calls[1]]

    assert send(pair[0], b"x", [pair[0].fileno()] * 254) == errno.EINVAL
    assert send(pair[0], b"x", [1 << 30]) == errno.EBADF
    while (failed := send(pair[0], b"x", ())) == 0:
        pass
    assert failed == errno.EAGAIN
    pair[1].close()
    assert send(pair[0], b"x", ()) == errno.ECONNRESET, "told once: it has left something unread"
    assert send(pair[0], b"x", ()) == errno.EPIPE
    assert receive(pair[0], SPACE, 0) == (b"", [], False)
    pair[0].close()
    assert send(pair[0], b"x", ()) == errno.EBADF
    assert receive(pair[0], SPACE, 0) == errno.EBADF


def test_a_record_is_looked_at_and_stays(pair: Pair, calls: tuple[str, str]) -> None:
    SENDS[calls[0]](pair[0], b"x", ())

    assert RECEIVES[calls[1]](pair[1], SPACE, socket.MSG_PEEK) == (b"x", [], False)
    assert RECEIVES[calls[1]](pair[1], SPACE, 0) == (b"x", [], False)
