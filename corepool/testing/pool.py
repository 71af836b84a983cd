"""A real pool in a subprocess, for tests: started as a user would start it, and always ended.

It gets its own temporary folder (with a short path, since that of a UNIX socket has 107 bytes at most), its
own control socket and its own $NOTIFY_SOCKET, over which it says when it is ready: nothing sleeps, nothing
guesses a port. Its output goes to files, so that it never blocks on a pipe that is not read. It leads its
own session: processes that are left of it can be found and ended whatever happened to the master.

    with PoolProcess.serve("echo", "-b", "tcp://127.0.0.1:0", "-w", "2") as pool:
        client = pool.connect()
        ...
        pool.stop()
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypedDict, Unpack, cast

from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from corepool.testing.status import PoolStatus

_MAX_NOTIFICATION_BYTES = 4096  # sd_notify's own messages are far shorter


class Surroundings(TypedDict, total=False):
    """How a pool is started, beside its arguments; everything has a default."""

    files: Mapping[str, str]
    """Written to its folder before the start: path inside the folder to text."""

    environment: Mapping[str, str]
    """Variables to set beside those of this process."""

    wrapper: Sequence[str]
    """A command that executes its arguments, such as ("prlimit", "--nofile=64")."""

    python: str
    """The interpreter; that of this process by default."""

    wait: bool
    """Whether `with` waits until the first generation is ready; True by default."""


class PoolProcess:
    """One `corepool` process and its workers. Use as a context manager."""

    def __init__(self, arguments: Sequence[str], **surroundings: Unpack[Surroundings]) -> None:
        """Prepare a pool; `with` starts it.

        :param arguments: of `corepool`, without --control, which is added.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="corepool-")
        self.directory = Path(self._folder.name)
        """Its working directory, removed at the end."""
        self.control = self.directory / "control.sock"
        self._command = [
            *surroundings.get("wrapper", ()),
            surroundings.get("python", sys.executable),
            *("-m", "corepool", *arguments, "--control", str(self.control)),
        ]
        # A variable of the machine that the tests run on must not decide how the pool behaves.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("COREPOOL_")}
        inherited.pop("WATCHDOG_USEC", None)
        inherited["COREPOOL_LOG_FORMAT"] = "text"  # what tests look for
        inherited["XDG_RUNTIME_DIR"] = str(self.directory)  # and no command finds it but those that look here
        notify_path = self.directory / "notify.sock"
        added = {**surroundings.get("environment", {}), "NOTIFY_SOCKET": str(notify_path)}
        self._environment = {**inherited, **added}
        self._wait = surroundings.get("wait", True)
        self._final_output: dict[str, str] | None = None
        self._clients: list[socket.socket] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notifications.bind(str(notify_path))
        for name, text in surroundings.get("files", {}).items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    @classmethod
    def run(cls, toml: str, **surroundings: Unpack[Surroundings]) -> Self:
        """Prepare `corepool run` with this configuration."""
        surroundings["files"] = {"corepool.toml": toml, **surroundings.get("files", {})}
        return cls(["run", "corepool.toml"], **surroundings)

    @classmethod
    def serve(cls, *arguments: str, **surroundings: Unpack[Surroundings]) -> Self:
        """Prepare `corepool serve` with these arguments."""
        return cls(["serve", *arguments], **surroundings)

    def __enter__(self) -> Self:
        try:
            with self._output("stdout").open("wb") as out, self._output("stderr").open("wb") as err:
                self._process = subprocess.Popen(  # noqa: S603 - the command is the test's own
                    self._command,
                    cwd=self.directory,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
            if self._wait:
                self.wait_notified("READY=1")
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End whatever still runs, and add the pool's stderr to the error that ended the test."""
        try:
            if self._process is not None:
                self._process.kill()  # the master first, or it would replace the workers killed next
                self._process.wait()
                for pid in self.left_over():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                wait_until(lambda: not self.left_over(), what="the processes that were killed are gone")
        finally:
            self._final_output = {name: self._read_output(name) for name in ("stdout", "stderr")}
            if error is not None:
                error.add_note(f"--- stderr of {' '.join(self._command)} ---\n{self.stderr}")
            for client in self._clients:
                client.close()
            self._notifications.close()
            self._folder.cleanup()

    @property
    def pid(self) -> int:
        """The master's process id."""
        return self._started().pid

    @property
    def running(self) -> bool:
        """Whether the master has not ended yet."""
        return self._started().poll() is None

    @property
    def stderr(self) -> str:
        """Its standard error so far: the log. Stays readable after the end."""
        return self._read_output("stderr")

    @property
    def stdout(self) -> str:
        """Its standard output so far. Stays readable after the end."""
        return self._read_output("stdout")

    def request(self, command: str, **arguments: object) -> dict[str, object]:
        """Send one command to the control socket and return the whole reply."""
        with connect(f"unix:{self.control}") as control:
            control.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
            return cast("dict[str, object]", json.loads(receive_all(control)))

    def status(self) -> PoolStatus:
        """Ask the running pool for its status."""
        reply = self.request("status")
        assert reply["ok"] is True, reply
        return cast("PoolStatus", reply["result"])

    def urls(self, listener: str | None = None) -> list[str]:
        """List the URLs as bound: of one listener, or of all."""
        return [
            url
            for its in self.status()["listeners"]
            if listener is None or its["name"] == listener
            for url in its["bind"]
        ]

    def workers(self) -> list[int]:
        """List the pids of the workers that are ready, by slot."""
        return [worker["pid"] for worker in self.status()["workers"] if worker["state"] == "ready"]

    def connect(self, listener: str | None = None, timeout_s: float = DEADLINE_S) -> socket.socket:
        """Connect to the first URL (of `listener`); every call on the socket has this time-out.

        The socket is closed with the pool, if it isn't before.
        """
        client = connect(self.urls(listener)[0], timeout_s)
        self._clients.append(client)
        return client

    def send_signal(self, signum: int) -> None:
        """Send a signal to the master, and to it alone."""
        self._started().send_signal(signum)

    def wait(self, deadline_s: float = DEADLINE_S) -> int:
        """Wait for the master's end; returns its exit status, or -N for signal N."""
        try:
            return self._started().wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the master still runs after {deadline_s:g} s") from None

    def stop(self, signum: int = signal.SIGTERM, deadline_s: float = DEADLINE_S) -> None:
        """Stop it with a signal and insist on exit status 0, also if it has ended already."""
        self.send_signal(signum)
        status = self.wait(deadline_s)
        assert status == 0, f"exit status {status}"

    def wait_notified(self, message: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until the master has sent `message` (such as "READY=1") to its $NOTIFY_SOCKET.

        :raises AssertionError: at the deadline, or as soon as the master has ended without it.
        """
        process = self._started()
        give_up = time.monotonic() + deadline_s
        pidfd = os.pidfd_open(process.pid)
        poller = select.poll()
        poller.register(self._notifications, select.POLLIN)
        poller.register(pidfd, select.POLLIN)
        try:
            while True:
                ready = [fd for fd, _ in poller.poll(max(0.0, give_up - time.monotonic()) * 1000)]
                # The message first: a master may send it and end before we look.
                if self._notifications.fileno() in ready:
                    if message in self._notifications.recv(_MAX_NOTIFICATION_BYTES).decode().splitlines():
                        return
                elif ready:
                    raise AssertionError(f"ended with status {process.wait()} before {message}")
                else:
                    raise AssertionError(f"no {message} within {deadline_s:g} s")
        finally:
            os.close(pidfd)

    def wait_logged(self, *texts: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until its standard error, the log, has each of these texts.

        A line arrives there some time after a client has seen the effect of what it tells.
        """

        def missing() -> list[str]:
            log = self.stderr
            return [text for text in texts if text not in log]

        try:
            wait_until(lambda: not missing(), deadline_s)
        except AssertionError:
            raise AssertionError(f"not logged after {deadline_s:g} s: {missing()}") from None

    def left_over(self) -> list[int]:
        """List the processes of this pool that still run, zombies aside: the master, workers, their children.

        They are those of its session, which it leads; the kernel gives no new process that number while
        one of them lives.
        """
        session = str(self.pid)
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _runs_in_session(path, session)]

    def _started(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started: use it in a `with` statement"
        return self._process

    def _output(self, name: str) -> Path:
        return self.directory / f"{name}.txt"

    def _read_output(self, name: str) -> str:
        if self._final_output is not None:
            return self._final_output[name]
        path = self._output(name)
        return path.read_text(errors="replace") if path.exists() else ""


def _runs_in_session(process: Path, session: str) -> bool:
    try:
        stat = (process / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
        return False
    # proc(5): pid (comm) state ppid pgrp session ...; comm may itself hold blanks and parentheses.
    state, _ppid, _pgrp, its_session = stat.rpartition(")")[2].split()[:4]
    return its_session == session and state not in "ZX"
