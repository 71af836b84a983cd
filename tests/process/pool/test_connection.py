"""The calls that a protocol may make on a connection, each seen from the client's side of a real pool."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
from sources import metadata, source

from corepool.testing.sockets import connect, receive_all, receive_exactly, reset
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

SOURCE = source("plugins/lab.py")

WRAPPED = source("plugins/flipped.py")

FLIP = bytes(each ^ 0x55 for each in range(256))


class Flipped(socket.socket):
    """A client of the transport above."""

    def recv(self, size: int, flags: int = 0) -> bytes:
        return super().recv(size, flags).translate(FLIP)

    def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]
        super().sendall(data.translate(FLIP), flags)


FILES = {
    "lab.py": SOURCE,
    "flipped.py": WRAPPED,
    **metadata("lab", "[corepool.protocols]\nlab = lab:Lab\n[corepool.transports]\nflipped = flipped:Flipped\n"),
}

CONFIG = """
[pool]
workers = 1
[[listener]]
name = "lab"
bind = ["tcp://127.0.0.1:0", "unix:///{path}", "flipped://127.0.0.1:0"]
protocol = "lab"
output_limit = "64KiB"
output_high_water = "16KiB"
"""


@pytest.fixture
def lab(pool: Pools, tmp_path_factory: pytest.TempPathFactory) -> PoolProcess:
    path = tmp_path_factory.mktemp("s") / "lab.sock"
    return pool(CONFIG.format(path=str(path).lstrip("/")), files=FILES)


@pytest.fixture(params=[0, 1, 2], ids=["tcp", "unix", "wrapped"])
def client(lab: PoolProcess, request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with connect(lab.urls()[request.param]) as sock:
        if request.param < 2:
            yield sock
            return
        with Flipped(fileno=sock.detach()) as wrapped:
            wrapped.settimeout(DEADLINE_S)
            yield wrapped


def reasons(lab: PoolProcess) -> list[str]:
    path = lab.directory / "reasons"
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_files_and_bytes_leave_in_the_order_they_were_sent(client: socket.socket, size: int) -> None:
    client.sendall(f"file {size}\n".encode())

    assert receive_exactly(client, size + 3) == b"<" + b"f" * (size - 1) + b">f."


def test_a_file_that_is_shorter_than_promised_ends_the_connection(lab: PoolProcess, client: socket.socket) -> None:
    client.sendall(b"short\n")

    assert receive_all(client) == b"tiny"
    wait_until(lambda: reasons(lab))


def test_a_half_open_connection_may_answer_later(client: socket.socket) -> None:
    client.sendall(b"half\n")
    client.shutdown(socket.SHUT_WR)

    assert receive_all(client) == b"late"


def test_a_paused_connection_is_not_read_until_it_is_resumed(lab: PoolProcess, client: socket.socket) -> None:
    client.sendall(b"pause 0.2\n")
    wait_until((lab.directory / "received").exists)
    client.sendall(b"echo hello\n")

    assert receive_exactly(client, 6) == b"hello\n"


def test_what_a_peer_sent_before_it_hung_up_is_read_after_a_pause(lab: PoolProcess, client: socket.socket) -> None:
    received = lab.directory / "received"
    client.sendall(b"pause 0.3\n")
    wait_until(lambda: received.exists() and received.read_bytes() == b"pause 0.3\n")
    client.sendall(b"echo last-words\n")
    client.close()

    wait_until(lambda: received.read_bytes().endswith(b"last-words\n"))
    wait_until(lambda: len(reasons(lab)) == 1)


def test_a_deadline_is_told_and_the_connection_kept_if_the_protocol_says_so(client: socket.socket) -> None:
    client.sendall(b"deadline\n")
    assert receive_exactly(client, 8) == b"timeout\n"
    client.sendall(b"echo still-here\n")

    assert receive_exactly(client, 11) == b"still-here\n"


def test_output_of_a_timer_keeps_a_connection_from_being_idle(
    pool: Pools, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("s") / "lab.sock"
    running = pool(CONFIG.format(path=str(path).lstrip("/")) + 'idle_timeout = "1s"\n', files=FILES)
    with running.connect() as client:
        client.sendall(b"push 40\n")  # for two seconds
        assert receive_exactly(client, 40) == b"." * 40
        assert receive_all(client) == b""
    wait_until(lambda: reasons(running) == ["timeout"])


def test_a_producer_goes_on_when_the_peer_has_read(client: socket.socket) -> None:
    client.sendall(b"stream 5000000\n")

    assert receive_exactly(client, 5_000_000) == b"s" * 5_000_000


def test_a_protocol_that_never_reads_is_told(lab: PoolProcess) -> None:
    client = lab.connect()
    client.sendall(b"leave\n")
    wait_until(lambda: lab.status()["workers"][0]["requests"] >= 1)
    client.sendall(b"unread")

    lab.wait_logged("input_never_read listener=lab")
    (lab.directory / "read-on").touch()


def test_a_task_may_send_at_any_time(client: socket.socket) -> None:
    client.sendall(b"task\n")

    assert receive_exactly(client, 12) == b"from a task\n"


@pytest.mark.parametrize("what", ["close", "abort"])
def test_a_connection_read_outside_of_an_event_can_be_closed_there(
    lab: PoolProcess, client: socket.socket, what: str
) -> None:
    client.sendall(f"read_late {what}\n".encode())

    assert receive_all(client) == b"paused\n"
    wait_until(lambda: reasons(lab) == [f"{what}ed".replace("ee", "e")])


def test_the_end_of_input_may_be_met_outside_of_an_event(lab: PoolProcess, client: socket.socket) -> None:
    client.sendall(b"read_late eof\n")
    assert receive_exactly(client, 7) == b"paused\n"
    client.shutdown(socket.SHUT_WR)

    assert receive_all(client) == b""
    wait_until(lambda: reasons(lab) == ["eof"])


def test_a_connection_may_speak_and_be_closed_by_another(lab: PoolProcess, client: socket.socket) -> None:
    client.sendall(b"remember\n")
    assert receive_exactly(client, 11) == b"remembered\n"
    with lab.connect() as other:
        other.sendall(b"tell hello\n")
        assert receive_exactly(client, 6) == b"hello\n"
        other.sendall(b"evict\n")
        assert receive_all(client) == b""


def test_a_closed_connection_has_nothing_of_the_next_one_with_its_number(lab: PoolProcess) -> None:
    with lab.connect() as first:
        first.sendall(b"remember\n")
        assert receive_exactly(first, 11) == b"remembered\n"
    wait_until(lambda: reasons(lab) == ["eof"])
    second, third = lab.connect(), lab.connect()
    second.sendall(b"pause 60\n")
    wait_until(lambda: (lab.directory / "received").read_bytes().endswith(b"pause 60\n"))
    second.sendall(b"secret")
    third.sendall(b"ghost\n")

    assert receive_exactly(third, 9) == b" unknown\n"
    reset(second)


@pytest.mark.parametrize("size", [1, 3_000_000])
def test_our_side_may_end_before_the_peers(lab: PoolProcess, client: socket.socket, size: int) -> None:
    client.sendall(f"finish {size}\n".encode())
    assert receive_all(client) == b"f" * size

    client.sendall(b"echo but-go-on\n")
    wait_until(lambda: (lab.directory / "received").read_bytes().endswith(b"but-go-on\n"))


def test_a_connection_may_have_marks_of_its_own(client: socket.socket) -> None:
    client.sendall(b"marks\n")

    assert receive_exactly(client, 11) == b"mcongested\n", "one byte was more than none, and then it had left"


def test_the_descriptor_is_there_to_be_asked(client: socket.socket) -> None:
    client.sendall(b"number\n")

    assert receive_exactly(client, 2) == b"1\n"


def test_close_sends_the_output_before_it_and_nothing_after(lab: PoolProcess, client: socket.socket) -> None:
    client.sendall(b"close\n")

    assert receive_all(client) == b"bye"
    wait_until(lambda: reasons(lab) == ["closed"])


def test_abort_sends_nothing(lab: PoolProcess, client: socket.socket) -> None:
    client.sendall(b"abort\n")

    assert receive_all(client) == b""
    wait_until(lambda: reasons(lab) == ["aborted"])


def test_more_output_than_the_limit_ends_the_connection(lab: PoolProcess, client: socket.socket) -> None:
    client.sendall(b"overflow\n")

    assert receive_all(client) == b""
    wait_until(lambda: reasons(lab) == ["overflow"])
    lab.wait_logged("output_limit_exceeded")


def test_a_buffer_may_be_reused_as_soon_as_it_was_sent(client: socket.socket) -> None:
    client.sendall(b"mutable\n")

    assert receive_exactly(client, 7) == b"before\n"


def test_anything_but_a_buffer_is_reported_to_the_protocol(client: socket.socket) -> None:
    client.sendall(b"number_of_bytes\n")

    assert receive_exactly(client, 28) == b"send() takes bytes, not int\n"


def test_an_endless_producer_and_a_greedy_reader_leave_time_for_others(lab: PoolProcess, client: socket.socket) -> None:
    enough = threading.Event()

    def read_on() -> None:
        while not enough.is_set():
            client.recv(1 << 20)

    reader = threading.Thread(target=read_on)
    try:
        client.sendall(b"stream 1000000000000\n")
        reader.start()
        with lab.connect() as other:
            for _ in range(20):
                other.sendall(b"echo hello\n")
                assert receive_exactly(other, 6) == b"hello\n"
    finally:
        enough.set()
        reader.join()
