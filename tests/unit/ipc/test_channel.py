"""The channel between master and worker: whole messages, whole descriptors, and errors that are answers."""

from __future__ import annotations

import array
import contextlib
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool.errors import ChannelFullError, GarbageError, PeerGoneError
from corepool.ipc.channel import Channel
from corepool.ipc.encoding import HEADER_SIZE
from corepool.ipc.messages import Drain, Failed, Message, Pause, Ready
from corepool.ipc.shapes import MAX_FDS, SocketIndex

messages = st.one_of(
    st.builds(Failed, st.text(st.characters(codec="utf-8"), max_size=100).map(str.rstrip)),
    st.builds(Pause, st.integers(0, 0xFFFF).map(SocketIndex)),
)


def open_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@given(st.lists(st.tuples(messages, st.integers(0, MAX_FDS)), max_size=8))
def test_messages_and_descriptors_arrive_in_order_close_on_exec_and_without_a_leak(
    sent: list[tuple[Message, int]],
) -> None:
    before = open_fds()
    ours, theirs = Channel.pair()
    source = os.open(os.devnull, os.O_RDONLY)
    for message, count in sent:
        ours.send(message, [source] * count)
    for message, count in sent:
        received = theirs.receive()
        assert received is not None
        assert received[0] == message
        assert len(received[1]) == count
        assert not any(os.get_inheritable(fd) for fd in received[1])
        for fd in received[1]:
            os.close(fd)
    assert theirs.receive() is None
    os.close(source)
    ours.close()
    with pytest.raises(PeerGoneError):
        theirs.receive()
    theirs.close()
    assert open_fds() == before


def test_a_full_channel_says_so_and_sends_nothing() -> None:
    ours, theirs = Channel.pair()
    sent = 0
    with contextlib.suppress(ChannelFullError):
        while sent < 100_000:
            ours.send(Drain())
            sent += 1
    with pytest.raises(ChannelFullError):
        ours.send(Drain())
    received = 0
    while theirs.receive() is not None:
        received += 1
    assert 0 < received == sent < 100_000
    ours.close()
    theirs.close()


def test_a_dead_peer_is_told_after_its_last_words() -> None:
    ours, theirs = Channel.pair()
    theirs.send(Ready())
    theirs.close()
    with pytest.raises(PeerGoneError):
        ours.send(Drain())
    assert ours.receive() == (Ready(), [])
    with pytest.raises(PeerGoneError):
        ours.receive()
    ours.close()


def test_descriptors_of_a_garbage_record_are_not_leaked() -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel = Channel(right)
    before = open_fds()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1]))]
    left.sendmsg([b"\xff" * HEADER_SIZE], rights)
    with pytest.raises(GarbageError, match="version 255"):
        channel.receive()
    assert open_fds() == before
    left.close()
    channel.close()
