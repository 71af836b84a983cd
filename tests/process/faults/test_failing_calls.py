"""System calls fail, in the master and in the workers: what that costs, and that nothing stays broken after it."""

from __future__ import annotations

import errno
import itertools
import json
import os
import resource
import signal
import socket
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import failing_rows
import probe
import psutil
import pytest
from failing import ALWAYS, Failing, Fault
from failing_row import CLIENT
from failing_rows import ROWS

from corepool.build import is_compiled
from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from failing_row import Row

IN_MACHINE_CODE = {("read", CLIENT): "recv", ("write", CLIENT): "send"}
"""Calls that are others where corepool is compiled: corepool/hot/_io.pyx."""

FILE_BYTES = 300_000
WORKERS = 2

TOML = (
    probe.config()
    + f"""
[[listener]]
name = "kernel"
bind = ["tcp://127.0.0.1:0"]
protocol = "probe"
dispatcher = "kernel"

[[listener]]
name = "unix"
bind = ["unix:@corepool-failing-{os.getpid()}"]
protocol = "probe"

[[listener]]
name = "files"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
[listener.options]
root = "root"

[[listener]]
name = "admin"
bind = ["tcp://127.0.0.1:0"]
protocol = "admin"
"""
)
ANOTHER = f"""
[[listener]]
name = "another"
bind = ["unix:@corepool-failing-another-{os.getpid()}"]
protocol = "echo"
"""


class Client:
    """A connection on which something was asked for."""

    def __init__(self, sock: socket.socket, is_whole: Callable[[bytes], bool]) -> None:
        self.sock = sock
        self._is_whole = is_whole

    def is_answered(self) -> bool:
        """Wait for the answer; False: it was closed before."""
        received = bytearray()
        with suppress(ConnectionError):
            while piece := self.sock.recv(65536):
                received += piece
                if self._is_whole(received):
                    return True
        return False


def is_line(received: bytes) -> bool:
    return received.endswith(b"\n")


class Stage:
    """A pool, and what may go on in it. Each act yields once it is prepared, then the clients that wait."""

    def __init__(self, running: PoolProcess, failing: Failing) -> None:
        self.running = running
        self.failing = failing
        self.master = running.pid
        self.urls = {each["name"]: each["bind"][0] for each in running.status()["listeners"]}
        self.opened: list[socket.socket] = []
        self.victim = self.bystander = 0
        self.told: list[bytes] = []
        self.most_descriptors = self.descriptors()

    def open(self, listener: str = "probe") -> socket.socket:
        sock = connect(self.urls[listener])
        self.opened.append(sock)
        return sock

    def ask(self, sock: socket.socket, line: bytes = b"hello") -> Client:
        with suppress(ConnectionError):
            sock.sendall(line + b"\n")
        return Client(sock, is_line)

    def open_at(self, pid: int) -> socket.socket:
        """Open a connection that a certain worker serves."""
        while True:
            sock = self.open()
            sock.sendall(b"pid\n")
            if int(sock.recv(100)) == pid:
                assert self.ask(sock).is_answered()  # it is watched by now: the first answer may come before
                return sock

    def order(self, command: str, **arguments: object) -> dict[str, object]:
        return self.running.request(command, **arguments)

    def descriptors(self) -> dict[str, int]:
        """Count the descriptors of the master, and of the worker that has the most."""
        pids = self.running.workers()
        return {"master": open_descriptors(self.master), "worker": max(map(open_descriptors, pids), default=0)}

    def has_told(self) -> bool:
        """Read what the service manager was told; its queue is short."""
        notifications = self.running._notifications  # noqa: SLF001
        with suppress(BlockingIOError):
            while True:
                self.told.append(notifications.recv(4096, socket.MSG_DONTWAIT).partition(b"\n")[0])
        return self.told.count(b"RELOADING=1") == self.told.count(b"READY=1")

    def settle(self) -> None:
        """Insist on a pool that is as it was: every worker serves, every listener accepts, nothing has leaked."""
        for sock in self.opened:
            sock.close()
        self.opened.clear()

        def is_settled() -> bool:
            status = self.running.status()
            now = self.descriptors()
            return (
                [each["state"] for each in status["workers"]] == ["ready"] * WORKERS
                and not any(each["connections"] for each in status["workers"])
                and not any(each["active"] for each in status["listeners"])
                and all(now[each] <= self.most_descriptors[each] for each in now)
            )

        for listener in ("probe", "kernel", "unix"):
            for _ in range(4):
                sock = self.open(listener)
                assert self.ask(sock).is_answered()
        for sock in self.opened:
            sock.close()
        self.opened.clear()
        try:
            wait_until(is_settled)
        except AssertionError as error:
            error.add_note(f"{self.descriptors()} {self.most_descriptors}\n{json.dumps(self.running.status())}")
            for pid in (self.master, *self.running.workers()):
                error.add_note(" ".join(f"{path.name}:{path.readlink()}" for path in Path(f"/proc/{pid}/fd").iterdir()))
            raise

    # --- acts

    def connect(self) -> Iterator[list[Client]]:
        yield []
        yield [self.ask(self.open()) for _ in range(4)]

    def connect_and_ask_twice(self) -> Iterator[list[Client]]:
        """A request that comes with its connection may be answered before that is watched."""
        yield []
        opened = [self.open() for _ in range(4)]
        for sock in opened:
            self.ask(sock).is_answered()
        yield [self.ask(sock) for sock in opened]

    def connect_kernel(self) -> Iterator[list[Client]]:
        yield []
        yield [self.ask(self.open("kernel")) for _ in range(2)]

    def connect_and_leave(self) -> Iterator[list[Client]]:
        yield []
        for _ in range(4):
            sock = self.open()
            assert self.ask(sock).is_answered()
            sock.close()
        yield []

    def ask_again(self) -> Iterator[list[Client]]:
        sock = self.open_at(self.victim)
        yield []
        yield [self.ask(sock)]

    def ask_another(self) -> Iterator[list[Client]]:
        """Ask a worker that may answer before it fails."""
        sock = self.open_at(self.victim)
        yield []
        self.ask(sock)
        yield [Client(sock, lambda _: False)]

    def ask_by_control(self) -> Iterator[list[Client]]:
        yield []
        clients = []
        for _ in range(2):
            sock = connect(f"unix:{self.running.control}")
            self.opened.append(sock)
            clients.append(self.ask(sock, b'{"command": "status"}'))
        yield clients

    ask_by_control_in_vain = ask_by_control

    def get_file(self) -> Iterator[list[Client]]:
        sock = self.open("files")
        yield []
        sock.sendall(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n")
        yield [Client(sock, lambda received: len(received.partition(b"\r\n\r\n")[2]) == FILE_BYTES)]

    def ask_admin(self) -> Iterator[list[Client]]:
        sock = self.open("admin")
        yield []
        sock.sendall(b"GET /status HTTP/1.1\r\nHost: a\r\n\r\n")
        yield [Client(sock, lambda received: b"\r\n\r\n" in received)]

    def move(self) -> Iterator[list[Client]]:
        """Replace a worker that has idle connections, which go to others."""
        socks = [self.open("files") for _ in range(8)]
        assert all(self.get(sock).is_answered() for sock in socks)
        wait_until(lambda: all(each["connections"] for each in self.running.status()["workers"]))
        for _ in self.replace_worker():
            yield []
        yield [self.get(sock) for sock in socks]

    def get(self, sock: socket.socket) -> Client:
        with suppress(ConnectionError):
            sock.sendall(b"HEAD /file HTTP/1.1\r\nHost: a\r\n\r\n")
        return Client(sock, lambda received: received.endswith(b"\r\n\r\n"))

    def get_no_file(self) -> Iterator[list[Client]]:
        sock = self.open("files")
        yield []
        sock.sendall(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n")
        yield [Client(sock, lambda received: received.startswith(b"HTTP/1.1 500 "))]

    def fail_in_a_hook(self) -> Iterator[list[Client]]:
        sock = self.open_at(self.victim)
        yield []
        yield [self.ask(sock, b"raise")]

    def hang_up_while_paused(self) -> Iterator[list[Client]]:
        """On UNIX sockets: their hang-up can't be masked, and so is taken out of epoll."""
        socks = [self.open("unix") for _ in range(8)]
        assert all(self.ask(sock).is_answered() for sock in socks)
        yield []
        for sock in socks:
            sock.sendall(b"pause 1\n")
            sock.close()
        yield []

    def end_while_client_sends(self) -> Iterator[list[Client]]:
        sock = self.open_at(self.victim)
        yield []
        sock.setblocking(False)
        sock.send(b"last\n" + b"x" * 1_000_000)
        sock.settimeout(60)
        yield [Client(sock, lambda _: False)]

    def kill_worker(self) -> Iterator[list[Client]]:
        yield []
        os.kill(self.victim, signal.SIGKILL)
        yield []

    def replace_worker(self) -> Iterator[list[Client]]:
        slot = next(each["slot"] for each in self.running.status()["workers"] if each["pid"] == self.victim)
        yield []
        self.order("drain", slot=slot)
        yield []

    def pause_and_resume(self, listener: str = "probe") -> Iterator[list[Client]]:
        self.order("pause", listener=listener)
        yield []
        sock = self.open(listener)
        self.order("resume", listener=listener)
        yield [self.ask(sock)]

    def pause_and_resume_kernel(self) -> Iterator[list[Client]]:
        yield from self.pause_and_resume("kernel")

    def reload(self) -> Iterator[list[Client]]:
        yield []
        self.order("reload")
        yield []
        wait_until(lambda: self.running.status()["reload"]["state"] != "running")
        assert self.order("reload")["ok"]
        wait_until(lambda: self.running.status()["reload"]["state"] == "done")
        wait_until(self.has_told, what="the service manager is told of the end of every reload")

    def reload_to_more(self) -> Iterator[list[Client]]:
        path = self.running.directory / "corepool.toml"
        yield []
        path.write_text(TOML + ANOTHER)
        reply = self.order("reload")
        path.write_text(TOML)
        assert not reply["ok"]
        assert "nothing was changed" in str(reply["error"])
        yield []

    def scale(self) -> Iterator[list[Client]]:
        yield []
        self.order("scale", workers=WORKERS + 1)
        yield []
        wait_until(lambda: len(self.running.workers()) == WORKERS + 1)
        self.order("scale", workers=WORKERS)

    def upgrade(self) -> Iterator[list[Client]]:
        yield []
        assert not self.order("upgrade")["ok"]
        yield []


def open_descriptors(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return 0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One pool for all rows: after each of them it is as it was."""
    folder = tmp_path_factory.mktemp("failing")
    files = {**probe.files(), "root/file": "x" * FILE_BYTES}
    with Failing(folder) as failing, PoolProcess.run(TOML, files=files, environment=failing.environment) as running:
        stage = Stage(running, failing)
        stage.settle()
        yield stage
        running.stop()
        wait_until(lambda: not running.left_over())


ON_VICTIM = {"ask_again", "ask_another", "fail_in_a_hook", "end_while_client_sends"}


@pytest.mark.parametrize("lasting", [False, True], ids=["in-turn", "for-a-while"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_failing_call_costs_what_the_table_says(stage: Stage, row: Row, lasting: bool) -> None:  # noqa: FBT001
    times = row.times[-1] if lasting else row.times[0]
    if not times or (lasting and len(row.times) == 1):
        pytest.skip("the other way is enough")
    errors = [getattr(errno, name) for name in row.errors.split()]
    outcome = row.outcome if lasting else row.once or row.outcome
    stage.victim, stage.bystander = stage.running.workers()
    log_began = len(stage.running.stderr)
    bystander = stage.open_at(stage.bystander)
    act = getattr(stage, row.act)()
    next(act)

    def is_logged() -> bool:
        """Look for it. What happens once may have been logged a moment ago, in the test before, and kept back now."""
        return row.logged in stage.running.stderr[0 if row.hits == 1 else log_began :]

    with ExitStack() as faults:

        def fail(error: int, times: int) -> Fault:
            limits = {"pid": stage.master} if row.where == "master" else {"not_pid": stage.master}
            if row.act in ON_VICTIM:
                limits = {"pid": stage.victim}
            call = IN_MACHINE_CODE.get((row.call, row.on), row.call) if is_compiled() else row.call
            fault = stage.failing(call, error, **limits, kinds=row.kinds, operation=row.operation, times=times)
            return faults.enter_context(fault)

        failing = [fail(errors[0], times)] if lasting else [fail(error, 1) for error in errors]
        clients = next(act)
        wanted = row.hits if lasting else 1
        wait_until(lambda: sum(fault.hits for fault in failing) >= wanted, what=f"{wanted} failing calls")
        if lasting and row.logged:
            wait_until(is_logged, what=f"{row.logged!r} in the log")
        assert stage.ask(bystander).is_answered()
        if outcome == "answered":
            assert all(client.is_answered() for client in clients)
        elif outcome == "closed":
            assert [client.is_answered() for client in clients].count(False) >= bool(clients)
    if outcome == "waits":
        assert all(client.is_answered() for client in clients)
    for _ in act:
        pass
    stage.settle()

    log = stage.running.stderr[log_began:]
    assert "Traceback" not in log or row.traceback, log
    if times == ALWAYS:
        assert log.count(row.logged or "Traceback") < 40, "no flood"


@contextmanager
def room_for(pid: int, count: int) -> Iterator[None]:
    """Leave a process so many free numbers below its limit of descriptors."""
    used = {int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()}
    free = itertools.filterfalse(used.__contains__, itertools.count())
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (next(itertools.islice(free, count, None)), limits[1]))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # a worker that has left
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def test_a_worker_at_its_descriptor_limit_leaves_and_others_take_its_connections(stage: Stage) -> None:
    victim = stage.running.workers()[0]
    with room_for(victim, 1):
        clients = [stage.ask(stage.open()) for _ in range(8)]

        assert all(client.is_answered() for client in clients)
        wait_until(lambda: victim not in stage.running.workers())
    stage.settle()


def test_connections_that_move_wait_for_a_master_at_its_descriptor_limit(stage: Stage) -> None:
    socks = [stage.open("files") for _ in range(8)]
    assert all(stage.get(sock).is_answered() for sock in socks)
    began = len(stage.running.stderr)
    victim = next(each["pid"] for each in stage.running.status()["workers"] if each["connections"])
    with room_for(stage.master, 0):
        os.kill(victim, signal.SIGTERM)
        # A descriptor that the master was about to close, such as that of a question for its status, leaves room for
        # one connection at a time: then the worker has left without the line.
        wait_until(lambda: "_not_read" in stage.running.stderr[began:] or not psutil.pid_exists(victim))
    clients = [stage.get(sock) for sock in socks]

    assert all(client.is_answered() for client in clients)
    stage.settle()


def test_the_page_shows_the_rows() -> None:
    page = Path(failing_rows.PAGE).read_text()

    assert failing_rows.table() in page, "python tests/support/failing_rows.py writes it"
