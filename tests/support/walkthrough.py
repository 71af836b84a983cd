"""A page of the documentation, done as its reader would do it.

Files are written where the page names them, commands of `console` blocks are run in order, and what they print is
what the page says they print ("..." stands for anything). `corepool run` and `serve` go on in the background, each in
a terminal of its own, until the page or the test stops them. The ports of the page are exchanged for free ones.
"""

from __future__ import annotations

import contextlib
import doctest
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Self

import documents
from scratch import make_environment

from corepool.testing.sockets import reserved_port
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_MATCHES = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_PORT = re.compile(r"""(127\.0\.0\.1(?:[: ]|", )|local://:)(\d{2,5})\b""")
_COMMAND_S = 600.0
# The tools in a reader's environment, without any use of the network.
_TOOLS = {
    "corepool": '"{scratch}" -m corepool "$@"',
    "python": '"{scratch}" "$@"',
    "pytest": '"{scratch}" -m pytest -p no:cacheprovider "$@"',
    "mypy": '"{scratch}" -m mypy "$@"',
    "ruff": '"{scratch}" -m ruff "$@"',
    "pip": '"{ours}" -m pip --python "{scratch}" "$@" --quiet --no-deps --no-build-isolation --no-index',
}


class Walkthrough:
    """Does what a page says. Use as a context manager: what it has started is ended with it."""

    def __init__(self, folder: Path) -> None:
        """Prepare an environment.

        :param folder: an empty one. Its path should be short: the control socket lies in it.
        """
        scratch = make_environment(folder / "environment")
        self.folder = folder / "work"
        """The current folder of the reader."""
        self.folder.mkdir()
        self._reserved = contextlib.ExitStack()
        self.ports: dict[str, int] = {}
        """The page's ports, and which they are here."""
        tools = folder / "tools"
        tools.mkdir()
        for name, line in _TOOLS.items():
            script = tools / name
            script.write_text("#!/bin/sh\nexec " + line.format(scratch=scratch, ours=sys.executable) + "\n")
            script.chmod(0o755)
        home = folder / "home"
        home.mkdir()
        (home / "corepool").symlink_to(documents.HOUSE)
        self._log = folder / "log.txt"
        self._pools: list[subprocess.Popen[bytes]] = []
        self._terminals: list[threading.Thread] = []
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("COREPOOL_")},
            "COREPOOL_COMPILE": "0",  # it takes minutes; tests/packaging looks at the compiled build
            "HOME": str(home),  # where a reader has the checkout
            "PATH": f"{tools}:{os.environ['PATH']}",
            "XDG_RUNTIME_DIR": str(folder),
            "COLUMNS": "120",
            # Compiled files are told apart by the second: too coarse for a reader as fast as this.
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # One that was upgraded has a master that is no child of ours.
        self._call("corepool stop --now")
        for pool in self._pools:
            if pool.poll() is None:
                pool.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                pool.wait(DEADLINE_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pool.pid, signal.SIGKILL)
            pool.wait()
        for terminal in self._terminals:
            terminal.join(DEADLINE_S)
        self._reserved.close()
        if error is not None and self._log.exists():
            error.add_note(f"--- what its pools said ---\n{self._log.read_text()}")

    def follow(self, page: Path) -> None:
        """Do all that a page says, from its beginning to its end."""
        for block in documents.blocks(page):
            try:
                if block.file is not None:
                    self.write(block.file, block.text)
                elif block.language == "console":
                    for command, expected in commands(self.here(block.text)):
                        self.run(command, expected)
            except BaseException as error:
                error.add_note(f"{page.name}, block at line {block.line}")
                raise

    def write(self, name: str, text: str) -> None:
        """Write a file as an editor would."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.here(text))

    def here(self, text: str) -> str:
        """Exchange the page's ports for those that are free here."""
        return _PORT.sub(lambda found: f"{found[1]}{self._port(found[2])}", text)

    def run(self, command: str, expected: str) -> None:
        """Run one command, and insist on the expected output."""
        if command.startswith("cd "):
            self.folder = self.folder / command.removeprefix("cd ")
            assert self.folder.is_dir(), command
        elif re.match(r"corepool (run|serve)\b", command):
            self._start(command, expected)
        else:
            done = self._call(command)
            assert done.returncode == 0, f"$ {command}\nended with {done.returncode}: {done.stdout}"
            said = f"$ {command}\nwas to print\n{expected}\nand printed\n{done.stdout}"
            assert matches(expected, done.stdout), said

    def _port(self, of_page: str) -> int:
        if of_page not in self.ports:
            self.ports[of_page] = self._reserved.enter_context(reserved_port())
        return self.ports[of_page]

    def _call(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - the page's own words
            ["/bin/bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_COMMAND_S,
            check=False,
        )

    def _start(self, command: str, expected: str) -> None:
        begin = self._log.stat().st_size if self._log.exists() else 0
        ours, theirs = pty.openpty()
        pool = subprocess.Popen(  # noqa: S603 - the page's own words
            ["/bin/sh", "-c", f"exec {command}"],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._pools.append(pool)
        self._terminals.append(threading.Thread(target=self._show, args=(ours,), daemon=True))
        self._terminals[-1].start()

        def is_ready() -> bool:
            assert pool.poll() is None, f"{command} has ended"
            if not self._log.exists() or not matches(expected, self._log.read_bytes()[begin:].decode()):
                return False
            return self._call("corepool status --check").returncode == 0

        wait_until(is_ready, what=f"{command} is ready, and has printed\n{expected}")

    def _show(self, terminal: int) -> None:
        # EIO: no process has the other side any more.
        with self._log.open("ab", buffering=0) as log, contextlib.suppress(OSError):
            while shown := os.read(terminal, 65536):
                log.write(shown)
        os.close(terminal)


def commands(text: str) -> list[tuple[str, str]]:
    """Split a console into its commands and what each prints."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    commands = []
    for part in parts:
        command, _, printed = re.sub(r"\\\n", "", part).partition("\n")
        commands.append((command.partition("   # ")[0].rstrip(), printed))
    return commands


def matches(expected: str, printed: str) -> bool:
    return doctest.OutputChecker().check_output(expected or "...", printed or "\n", _MATCHES)
