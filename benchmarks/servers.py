"""The servers that are compared: how each is started, known to be ready, and ended.

Every server is told its port, writes its log into a file, and says READY=1 to $NOTIFY_SOCKET as
under systemd; redis and corepool do so anyway, our peers do it in a line. So all are
started in one way, without waiting for a clock, and an early death is reported with the end of its log.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from benchmarks.processes import pinned
from benchmarks.results import BenchError
from corepool.testing.sockets import reserved_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CHECKOUT = Path(__file__).parent.parent

START_TIMEOUT_S = 20.0  # a machine busy with other things imports pydantic in seconds, not tens of them
STOP_TIMEOUT_S = 10.0  # every connection is closed by then: nothing is left to drain
LOG_TAIL_BYTES = 2000  # the end of a traceback, which names the error


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is ready: the process whose tree is charged, its port on 127.0.0.1, and its own folder."""

    pid: int
    port: int
    scratch: Path


@dataclass(frozen=True, slots=True)
class Server:
    """A way to start a server. In `command`, {port} and {scratch} (a folder of its own) are filled in."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    says_ready: bool = True
    """It tells $NOTIFY_SOCKET; otherwise it is ready when it takes a connection."""
    cores: tuple[int, ...] = ()
    """Those that it divides among its processes itself, in the place of the one that it is given."""
    needs: tuple[str, ...] = ()
    """Programs and modules without which it can't be run."""

    @contextmanager
    def running(self, core: int) -> Iterator[Running]:
        """Run the server on `core`, from ready on until the block ends.

        :raises BenchError: it didn't become ready; with the end of its log.
        """
        with (
            tempfile.TemporaryDirectory(prefix="corepool-bench-") as scratch,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
            reserved_port() as port,
        ):
            notify.bind(f"{scratch}/notify")
            process = self._start(Path(scratch), port, core)
            try:
                if self.says_ready:
                    self._await_ready(process, notify, Path(scratch))
                else:
                    self._await_listening(process, port, Path(scratch))
                yield Running(process.pid, port, Path(scratch))
            finally:
                _stop(process)

    def _start(self, scratch: Path, port: int, core: int) -> subprocess.Popen[bytes]:
        command = [part.format(port=port, scratch=scratch) for part in self.command]
        environment = {**os.environ, **self.environment, "NOTIFY_SOCKET": f"{scratch}/notify"}
        with (scratch / "log").open("wb") as log, pinned(*(self.cores or (core,))):
            return subprocess.Popen(  # noqa: S603 - the commands are those below
                command,
                cwd=CHECKOUT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the terminal's ^C is for the harness, which then ends it in order
            )

    def _await_ready(self, process: subprocess.Popen[bytes], notify: socket.socket, scratch: Path) -> None:
        ended = os.pidfd_open(process.pid)
        try:
            while True:
                readable, _, _ = select.select([notify.fileno(), ended], [], [], START_TIMEOUT_S)
                if notify.fileno() not in readable:
                    break
                if b"READY=1" in notify.recv(4096).splitlines():
                    return
        finally:
            os.close(ended)
        self._fail(process, scratch, ended=bool(readable))

    def _await_listening(self, process: subprocess.Popen[bytes], port: int, scratch: Path) -> None:
        give_up = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < give_up and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        self._fail(process, scratch, ended=process.poll() is not None)

    def _fail(self, process: subprocess.Popen[bytes], scratch: Path, *, ended: bool) -> NoReturn:
        what = "ended before it was ready" if ended else f"was not ready after {START_TIMEOUT_S:.0f} s"
        tail = (scratch / "log").read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
        raise BenchError(f"{self.name}: {process.args!r} {what}; the end of its log:\n{tail}")


def corepool(
    protocol: str,
    dispatcher: str,
    *,
    workers: int = 1,
    name: str = "corepool",
    pythonpath: str = "",
    options: Sequence[str] = (),
) -> Server:
    """Start a pool for one protocol, as a user would type it.

    :param options: of the protocol, as "key=value".
    :param pythonpath: more folders to find plugins in, in the form of $PYTHONPATH.
    """
    command = (sys.executable, "-m", "corepool", "serve", protocol)
    flags = (
        "-b",
        "tcp://127.0.0.1:{port}",
        "-w",
        str(workers),
        "-d",
        dispatcher,
        "--control",
        "{scratch}/control",
        *(flag for option in options for flag in ("-o", option)),
    )
    folders = [folder for folder in (pythonpath, os.environ.get("PYTHONPATH")) if folder]
    return Server(name, command + flags, {"PYTHONPATH": os.pathsep.join(folders)} if folders else {})


def corepool_run(name: str, toml: str, pythonpath: str = "") -> Server:
    """Start pools from a configuration, in which {port} is filled in."""
    script = 'printf "%s" "$1" >"$2/p.toml" && exec "$0" -m corepool run "$2/p.toml" --control "$2/control"'
    folders = [folder for folder in (pythonpath, os.environ.get("PYTHONPATH")) if folder]
    environment = {"PYTHONPATH": os.pathsep.join(folders)} if folders else {}
    return Server(name, ("sh", "-c", script, sys.executable, toml, "{scratch}"), environment)


def corepool_kept(protocol: str, *, name: str, pythonpath: str = "") -> Server:
    """Start a pool whose connections outlive a crash of their worker."""
    listener = f'name = "x", bind = ["tcp://127.0.0.1:{{port}}"], protocol = "{protocol}", keep_on_crash = true'
    return corepool_run(name, f"pool = {{{{ workers = 1 }}}}\nlistener = [{{{{ {listener} }}}}]\n", pythonpath)


def corepool_http(
    what: str,
    *,
    dispatcher: str = "least-connections",
    workers: int = 1,
    name: str = "corepool",
    root: str = "",
    threads: int = 0,
) -> Server:
    """Start a pool that serves one of the greetings, or the files of a folder."""
    server = corepool("http", dispatcher, workers=workers, name=name)
    options = ("-o", f"root={root}") if root else ("-o", f"target=benchmarks.peers.hello:{what}")
    more = ("-o", f"threads={threads}") if threads else ()
    return Server(name, server.command + options + more, server.environment)


def bjoern() -> Server:
    """Start bjoern, WSGI in C."""
    command = (sys.executable, "-m", "benchmarks.peers.with_bjoern", "{port}")
    return Server("bjoern", command, says_ready=False, needs=("bjoern",))


def granian(interface: str, what: str = "", *, http: int = 1) -> Server:
    """Start granian, WSGI and ASGI in Rust, with one worker, for one version of HTTP: to tell them apart costs it time.

    :param what: another greeting than that of the interface's name.
    """
    command = (sys.executable, "-m", "granian", "--interface", interface, "--host", "127.0.0.1", "--port", "{port}")
    options = ("--http", str(http), "--workers", "1", "--no-ws", "--log-level", "error")
    return Server(
        "granian",
        (*command, *options, f"benchmarks.peers.hello:{what or interface}"),
        says_ready=False,
        needs=("granian",),
    )


def gunicorn(what: str, threads: int) -> Server:
    """Start gunicorn with one worker of threads, which keeps connections open."""
    command = (sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "1", "--keep-alive", "5")
    options = ("--worker-class", "gthread", "--threads", str(threads), "--worker-connections", "1000")
    target = f"benchmarks.peers.hello:{what}"
    return Server("gunicorn", (*command, *options, target), says_ready=False, needs=("gunicorn",))


def uvicorn() -> Server:
    """Start uvicorn with uvloop and httptools."""
    command = (sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--no-access-log")
    options = ("--loop", "uvloop", "--http", "httptools", "--log-level", "error", "benchmarks.peers.hello:asgi")
    return Server("uvicorn", command + options, says_ready=False, needs=("uvicorn", "uvloop"))


def nginx(root: str, *, workers: int = 1, name: str = "nginx") -> Server:
    """Start nginx: files of a folder, and a fixed answer at "/" and below "/item/"."""
    user = "user root;" if os.geteuid() == 0 else ""  # the folder is ours alone
    places = "".join(
        f"{kind}_temp_path {{scratch}}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    settings = (
        f"{user} daemon off; pid {{scratch}}/pid; error_log stderr error; worker_processes {workers}; "
        "events {{ worker_connections 4096; }} "
        "http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; default_type text/plain; "
        f"{places} server {{{{ listen 127.0.0.1:{{port}} reuseport; root {root}; "
        'location = / {{ return 200 "Hello, world!\\n"; }} location /item/ {{ return 200 "Hello, world!\\n"; }} }} }}'
    )
    script = 'printf "%s" "$1" >"$2/nginx.conf" && exec nginx -p "$2" -c "$2/nginx.conf"'
    return Server(name, ("sh", "-c", script, "sh", settings, "{scratch}"), says_ready=False, needs=("nginx",))


def redis(*, append: bool = False) -> Server:
    """Start redis-server without persistence, or with a file (AOF) that it appends to and syncs every second."""
    command = ("redis-server", "--port", "{port}", "--bind", "127.0.0.1", "--dir", "{scratch}")
    keeping = ("--save", "", "--appendonly", "yes" if append else "no", "--supervised", "systemd")
    return Server("redis, AOF" if append else "redis", command + keeping, needs=("redis-server",))


def memcached() -> Server:
    """Start memcached with one thread, which serves, beside the one that accepts."""
    command = ("memcached", "-l", "127.0.0.1", "-p", "{port}", "-U", "0", "-t", "1", "-u", "root")
    return Server("memcached", command, says_ready=False, needs=("memcached",))


def redis_proxy(upstream: int) -> Server:
    """Start a proxy for GET and SET on redis-py's asyncio client.

    :param upstream: the port of the redis behind it.
    """
    command = (sys.executable, "-m", "benchmarks.peers.redis_proxy", "{port}", str(upstream))
    return Server("redis-py proxy", command, says_ready=False, needs=("redis",))


def protocol_server(loop: str, work: str) -> Server:
    """Start a single process that accepts for itself and serves a Protocol on asyncio's or uvloop's loop."""
    command = (sys.executable, "-m", "benchmarks.peers.protocol_server", loop, work, "{port}")
    return Server(loop, command, needs=(loop,))


def stream_server(kind: str, name: str) -> Server:
    """Start a single process that serves a coroutine with asyncio.start_server, or a thread each with socketserver."""
    return Server(name, (sys.executable, "-m", "benchmarks.peers.stream_server", kind, "{port}"))


def bare_epoll() -> Server:
    """Start the least that Python can do for an answer."""
    return Server("bare epoll", (sys.executable, "-m", "benchmarks.peers.bare_epoll", "{port}"))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a server and all of its processes, also those that it has left behind when it ended by itself."""
    if process.returncode is not None:
        return  # it has ended before it was ready: the caller reports that
    os.kill(process.pid, signal.SIGTERM)  # `terminate` would wait for one that has ended, whose number is needed below
    ended = os.pidfd_open(process.pid)
    try:
        select.select([ended], [], [], STOP_TIMEOUT_S)
    finally:
        os.close(ended)
        # It was not waited for yet: so long, no other group has its number.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
