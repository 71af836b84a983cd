"""A terminal with a shell, as a person has it in front of them, in a network of its own, where every port is free."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import termios
import threading
from typing import TYPE_CHECKING, Self

import pyte

from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

_PROMPT = b"<ready> "
_ECHO = termios.ECHO
_COMMAND_S = 600.0  # making an environment takes long on a busy machine; the time-out of the test ends it


@contextlib.contextmanager
def network() -> Iterator[int]:
    """Make a network namespace with a loopback, and yield the id of a process in it. Only root may."""
    script = "ip link set lo up && echo && exec sleep infinity"
    holder = subprocess.Popen(["unshare", "--net", "sh", "-c", script], stdout=subprocess.PIPE)  # noqa: S603, S607 - our own words
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"\n"
        yield holder.pid
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


class Terminal:
    """An interactive shell with job control. Use as a context manager: it is hung up at the end."""

    def __init__(self, folder: Path, network: int, environment: Mapping[str, str]) -> None:
        """Open it in `folder`, in the network of the process `network`."""
        self.output = b""
        """All that it has shown, without the lines that were typed."""
        self._ours, theirs = pty.openpty()
        modes = termios.tcgetattr(theirs)
        modes[3] &= ~_ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, modes)
        enter = ["nsenter", "--target", str(network), "--net", f"--wd={folder}", "setsid", "--ctty", "--wait"]
        self._shell = subprocess.Popen(  # noqa: S603 - our own words
            [*enter, "bash", "--norc", "--noprofile", "--noediting", "-i"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment, "PS1": _PROMPT.decode(), "HISTFILE": ""},
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        wait_until(lambda: self.output.endswith(_PROMPT), what="the shell is ready")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"--- a terminal ---\n{self.output.decode()}")
        os.close(self._ours)  # the kernel sends HUP to the shell, which passes it on
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._shell.wait(DEADLINE_S)
        self._shell.kill()
        self._shell.wait()
        self._reader.join(DEADLINE_S)

    def type(self, keys: str) -> None:
        """Type something, and wait for nothing."""
        os.write(self._ours, keys.encode())

    def run(self, command: str) -> str:
        """Type a command, wait until it has ended with status 0, and return what it has shown."""
        shown = self._until_prompt(command)
        status = self._until_prompt("echo $?").strip()
        assert status == "0", f"$ {command}\nended with {status}:\n{shown}"
        return shown

    def interrupt(self) -> str:
        """Press Ctrl-C, and return the output until the shell is ready again."""
        return self._until_prompt("\x03", enter="")

    def _until_prompt(self, keys: str, enter: str = "\n") -> str:
        begin = len(self.output)
        self.type(keys + enter)
        wait_until(lambda: self.output[begin:].endswith(_PROMPT), what=f"{keys!r} is over", deadline_s=_COMMAND_S)
        return _seen(self.output[begin:].decode().removesuffix(_PROMPT.decode()))

    def _read(self) -> None:
        # EIO: no process has the other side any more.
        with contextlib.suppress(OSError):
            while shown := os.read(self._ours, 65536):
                self.output += shown


def _seen(output: str) -> str:
    """Return the lines that are left of some output: a progress bar that is erased is not."""
    screen = pyte.Screen(2000, 200)
    pyte.Stream(screen).feed(output)
    return "\n".join(line.rstrip() for line in screen.display).rstrip() + "\n"
