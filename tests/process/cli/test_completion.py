"""Shell completion, as fingers use it: real shells in a terminal, a word begun, and the Tab key."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corepool.testing.waiting import DEADLINE_S

SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(corepool --show-completion)"'),
    "zsh": (["zsh", "-f", "-i"], 'autoload -Uz compinit; compinit -u -d ./dump; eval "$(corepool --show-completion)"'),
    "fish": (["fish", "--no-config", "--interactive"], "corepool --show-completion | source"),
}


class Terminal:
    """A shell in a terminal."""

    def __init__(self, command: list[str], folder: Path) -> None:
        scripts = str(Path(sys.executable).parent)
        environment = os.environ | {"PATH": f"{scripts}:{os.environ['PATH']}", "TERM": "dumb", "HOME": str(folder)}
        self._ours, its = pty.openpty()
        # fish insists on a terminal that controls it.
        self._process = subprocess.Popen(  # noqa: S603
            ["setsid", "--ctty", *command],  # noqa: S607
            cwd=folder,
            env=environment,
            stdin=its,
            stdout=its,
            stderr=its,
        )
        os.close(its)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def wait_for(self, text: str) -> None:
        give_up = time.monotonic() + 6 * DEADLINE_S
        while text not in self.shown:
            assert time.monotonic() < give_up, f"{text!r} is not in {self.shown!r}"
            if select.select([self._ours], [], [], 1)[0]:
                self.shown += os.read(self._ours, 4096).decode(errors="replace")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_completes_the_flag_of_a_protocol(shell: str, tmp_path: Path) -> None:
    command, setup = SHELLS[shell]
    terminal = Terminal(command, tmp_path)
    try:
        terminal.type(f"{setup}; echo set''up\n")
        terminal.wait_for("setup")
        terminal.type("corepool serve http --thre\t")
        terminal.wait_for("--threads")
    finally:
        terminal.close()
