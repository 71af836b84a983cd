"""What loads the servers of the benchmarks, and the end of each server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from benchmarks import servers
from benchmarks.cases.http import BROWSER, DIFFERING, GREETING
from benchmarks.load import wrk
from benchmarks.processes import Cores
from benchmarks.servers import Server
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUSE = Path(__file__).parents[3]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Recorder:
    """A server that notes each request as it came."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        try:
            while True:
                threading.Thread(target=self._serve, args=(self._listening.accept()[0],), daemon=True).start()
        except OSError:  # closed
            pass

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as lines:
            head = b""
            try:
                for line in lines:
                    head += line
                    if line == b"\r\n":
                        self.heads.append(head)
                        head = b""
                        client.sendall(ANSWER)
            except ConnectionError:  # wrk ends without waiting for the last answers
                pass


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.mark.parametrize(
    ("kind", "differ"), [(GREETING, {"", "X-Request-ID"}), (BROWSER, {"", "Cookie", "X-Request-ID"})]
)
def test_requests_differ_in_what_differs_between_real_ones_and_in_nothing_else(
    recorder: Recorder, kind: str, differ: set[str]
) -> None:
    served, lost = wrk.run(recorder.port, "/", 3, 1, Cores.pick().load, script=(str(DIFFERING), kind, "41"))

    assert (served > 3, lost) == (True, 0)
    requests = [
        {name: value for name, _, value in (line.partition(": ") if ": " in line else ("", "", line) for line in lines)}
        for lines in (head.decode().removesuffix("\r\n\r\n").split("\r\n") for head in recorder.heads)
    ]
    assert {"".join(request) for request in requests} == {"".join(requests[0])}, "all have the same headers"
    assert len(requests[0]) == {GREETING: 3, BROWSER: 8}[kind], "a request line, and headers"
    for name in requests[0]:
        values = {request[name] for request in requests}
        assert len(values) == (len(requests) if name in differ else 1), name
    numbers = [int(request[""].removeprefix("GET /item/").removesuffix(" HTTP/1.1")) for request in requests]
    assert min(numbers) > 41
    assert requests[0]["Host"] == f"127.0.0.1:{recorder.port}"


def test_a_server_is_ended_with_all_that_it_has_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that ignore TERM, or that a master has left behind, would load the core of all that come later."""
    monkeypatch.setattr(servers, "STOP_TIMEOUT_S", 0.1)
    script = (
        "import os, signal, socket, sys\n"
        "if os.fork() == 0: signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if os.getpid() != os.getsid(0): open(sys.argv[2], 'w').write(str(os.getpid()))\n"
        "with socket.create_server(('127.0.0.1', int(sys.argv[1])), reuse_port=True): signal.pause()\n"
    )
    left = tmp_path / "left"
    server = Server("a fork", (sys.executable, "-c", script, "{port}", str(left)), says_ready=False)
    with server.running(Cores.pick().server) as running:
        wait_until(lambda: left.exists() and left.read_text() != "")
        worker = psutil.Process(int(left.read_text()))
        assert worker.ppid() == running.pid

    wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    assert not psutil.pid_exists(running.pid)


def test_a_run_that_is_terminated_leaves_no_server(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "ping", "--server", "bare epoll", "--to", str(tmp_path)]
    with subprocess.Popen(command, cwd=HOUSE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:  # noqa: S603
        found: list[psutil.Process] = []

        def is_server(process: psutil.Process) -> bool:
            try:
                return "benchmarks.peers.bare_epoll" in process.cmdline()
            except psutil.Error:  # one that describes the machine has ended meanwhile
                return False

        def started() -> bool:
            assert run.poll() is None
            found[:] = filter(is_server, psutil.Process(run.pid).children())
            return bool(found)

        wait_until(started)
        os.kill(run.pid, signal.SIGTERM)
        assert run.wait() == 128 + signal.SIGTERM

    wait_until(lambda: not found[0].is_running())
