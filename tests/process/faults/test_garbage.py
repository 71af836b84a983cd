"""Garbage on a worker's channel or the control socket costs its sender only."""

from __future__ import annotations

import json
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sources import metadata, source

from corepool.ipc.encoding import VERSION, encode
from corepool.ipc.frozen import Frozen
from corepool.ipc.messages import (
    AskStatus,
    Drained,
    FrozenConnections,
    Leaving,
    Ready,
    Room,
)
from corepool.ipc.new_connections import NewConnections
from corepool.ipc.shapes import MAX_FDS, MAX_PAYLOAD, SocketIndex
from corepool.master.control import MAX_CLIENTS, MAX_REQUEST_BYTES
from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

MOUTH = source("plugins/mouth.py")
FILES = {
    "mouth.py": MOUTH,
    **metadata("mouth", "[corepool.protocols]\nmouth = mouth:Mouth\n"),
}
TOML = """
[pool]
workers = 2
respawn_delay = "1ms"
respawn_delay_max = "1ms"
drain_timeout = "100ms"
[[listener]]
name = "mouth"
bind = ["tcp://127.0.0.1:0"]
protocol = "mouth"
"""
FROZEN = Frozen(0, 0.0, 0.0, 0.0, 0, 0, half_open=False, is_lost=False, protocol="test", states=())


def frozen(*records: bytes, index: int = 0) -> bytes:
    return encode(FrozenConnections(SocketIndex(index), records))


class Stage:
    """A pool whose workers say what they are told to."""

    def __init__(self, running: PoolProcess) -> None:
        self.running = running
        self.url = running.urls()[0]
        self.descriptors = self.open_descriptors()

    def open_descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.running.pid}/fd").iterdir()))

    def tell(self, line: bytes) -> int:
        """Have a worker do something, and return its pid."""
        with connect(self.url) as client:
            client.sendall(b"pid\n")
            pid = int(client.recv(100))
            with suppress(ConnectionError):
                client.sendall(line + b"\n")
                client.recv(100)
            return pid

    def settle(self) -> None:
        def is_settled() -> bool:
            status = self.running.status()
            return (
                [each["state"] for each in status["workers"]] == ["ready", "ready"]
                and not any(each["connections"] for each in status["workers"])
                and self.open_descriptors() <= self.descriptors
            )

        wait_until(is_settled)
        assert {self.tell(b"pid") for _ in range(8)} <= set(self.running.workers())


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with PoolProcess.run(TOML, files=FILES) as running:
        yield Stage(running)
        running.stop()
        assert "Traceback" not in running.stderr


RECORDS = st.one_of(
    st.binary(min_size=1, max_size=100),
    st.builds(
        lambda kind, listener, payload: struct.pack("=BBHI", VERSION, kind, listener, len(payload)) + payload,
        st.integers(0, 255),
        st.integers(0, 0xFFFF),
        st.binary(max_size=200),
    ),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RECORDS, st.integers(0, 3))
@example(frozen(b""), 1)
@example(frozen(b"abc"), 2)
@example(frozen(FROZEN._replace(crash_slot=7).encode()), 1)
@example(frozen(FROZEN._replace(crash_slot=2**32 - 1).encode()), 3)
@example(frozen(FROZEN.encode(), index=99), 1)
@example(frozen(*[b"x" * 900] * MAX_FDS), MAX_FDS)
@example(struct.pack("=BBHI", VERSION, 19, 0, MAX_PAYLOAD) + b"\xff" * MAX_PAYLOAD, 2)
@example(encode(Leaving()), 2)
@example(encode(Drained()), 0)
@example(encode(Room()), 1)
@example(encode(AskStatus()), 1)
@example(bytes(MAX_PAYLOAD), 0)
def test_a_record_costs_its_worker_at_most(stage: Stage, record: bytes, fds: int) -> None:
    stage.tell(b"say %b %d" % (record.hex().encode(), fds))
    stage.settle()


@pytest.mark.parametrize(
    "record", [b"garbage", encode(Ready()), encode(NewConnections(SocketIndex(0), 1)), frozen(b"abc")]
)
def test_a_worker_that_says_what_none_says_is_replaced(stage: Stage, record: bytes) -> None:
    pid = stage.tell(b"say %b 1" % record.hex().encode())
    wait_until(lambda: pid not in stage.running.workers())
    stage.settle()

    stage.running.wait_logged(f'pid={pid} reason="it sent garbage: ')


@pytest.mark.parametrize("order", [b"close", b"shut 0", b"shut 1", b"shut 2"])
def test_a_worker_whose_channel_is_closed_is_replaced(stage: Stage, order: bytes) -> None:
    """Or leaves by itself, where it notices."""
    pid = stage.tell(order)
    wait_until(lambda: all(each["pid"] != pid for each in stage.running.status()["workers"]))
    stage.settle()


def status_of(control: socket.socket) -> object:
    return json.loads(receive_all(control))["ok"]


@pytest.fixture
def control(stage: Stage) -> Iterator[socket.socket]:
    with connect(f"unix:{stage.running.control}") as sock:
        yield sock
    stage.settle()


def test_a_client_of_the_control_socket_may_have_ended_its_side(control: socket.socket) -> None:
    control.sendall(b'{"command": "status"}\n')
    control.shutdown(1)

    assert status_of(control) is True


def test_a_command_may_come_byte_by_byte(control: socket.socket) -> None:
    for byte in b'{"command": "status"}\n':
        control.sendall(bytes((byte,)))

    assert status_of(control) is True


@pytest.mark.parametrize("line", [b"x" * (MAX_REQUEST_BYTES + 1), b'{"command": "status"}', b""])
def test_bytes_without_a_line_are_not_answered(control: socket.socket, line: bytes) -> None:
    with suppress(ConnectionError):
        control.sendall(line)
        control.shutdown(1)
        assert receive_all(control) == b""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=300), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists)))
@example(b"[" * 60_000)
@example(b'{"command": ' + b"9" * 6000 + b"}")
@example({"command": ["status"]})
@example({"command": "scale", "workers": 10**300})
@example({"command": "drain", "slot": -1, "pool": "x" * 60_000})
def test_a_line_of_garbage_is_answered_with_an_error(stage: Stage, line: object) -> None:
    data = line if isinstance(line, bytes) else json.dumps(line).encode()
    with connect(f"unix:{stage.running.control}") as control:
        control.sendall(data.replace(b"\n", b"") + b"\n")
        assert status_of(control) is False


def test_clients_of_the_control_socket_are_limited(stage: Stage) -> None:
    """Those that say nothing are dropped after a while; meanwhile others are turned away, and the pool serves."""
    idle = [connect(f"unix:{stage.running.control}") for _ in range(MAX_CLIENTS)]
    try:
        wait_until(lambda: stage.open_descriptors() == stage.descriptors + MAX_CLIENTS)
        with connect(f"unix:{stage.running.control}") as another, suppress(ConnectionError):
            another.sendall(b'{"command": "status"}\n')
            assert receive_all(another) == b""
        assert stage.tell(b"pid") > 0
        assert all(receive_all(each) == b"" for each in idle)
    finally:
        for each in idle:
            each.close()
    stage.settle()
    assert os.path.exists(stage.running.control)  # noqa: PTH110
