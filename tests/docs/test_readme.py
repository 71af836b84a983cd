"""The README's five minutes, typed into two terminals, with the ports that it names."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from documents import HOUSE, blocks
from terminal import Terminal, network
from walkthrough import commands, matches

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

README = list(blocks(HOUSE / "README.md"))
CONSOLES = [block.text for block in README if block.language == "console"]
BUILT_FROM = ("corepool", "plugins", "transports", "hatch_build.py", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture
def checkout() -> Iterator[Path]:
    """Return a copy of the files that a wheel is built from, in a folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="corepool-") as name:
        folder = Path(name)
        for each in BUILT_FROM:
            here = HOUSE / each
            if here.is_dir():
                shutil.copytree(here, folder / each, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(here, folder / each)
        yield folder


def environment(folder: Path) -> dict[str, str]:
    """Return a reader's: `pip install` finds the dependencies among our own, downloads nothing, and compiles nothing.

    A compiler would take minutes; the wheels that it makes have tests of their own.
    """
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("COREPOOL_", "PIP_"))},
        "COREPOOL_COMPILE": "0",
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it the other way round
        "PIP_QUIET": "1",
        "XDG_RUNTIME_DIR": str(runtime),
        "COLUMNS": "120",
        "VIRTUAL_ENV_DISABLE_PROMPT": "1",
    }


def do(terminal: Terminal, console: str) -> None:
    for command, expected in commands(console):
        shown = terminal.run(command)
        assert matches(expected, shown), f"$ {command}\nwas to show\n{expected}\nand showed\n{shown}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a network in which the ports of the page are free")
def test_the_five_minutes_work_as_pasted_into_two_terminals(checkout: Path) -> None:
    install, first_look, serve, ask = CONSOLES[:4]
    *prepare, run = [command for command, _ in commands(install)]
    mine = environment(checkout)
    with (
        network() as apart,
        Terminal(checkout, apart, mine) as first,
        Terminal(checkout, apart, mine) as second,
    ):
        do(first, "".join(f"$ {command}\n" for command in prepare))
        first.type(f"{run}\n")
        wait_until(lambda: b"curl http://127.0.0.1:8007/" in first.output, what="the demo has said how to try it")
        do(second, first_look)
        assert "pool_stopping" in first.interrupt()

        (checkout / "hello.py").write_text(next(block.text for block in README if block.file == "hello.py"))
        ((command, _),) = commands(serve)
        first.type(f"{command}\n")
        wait_until(lambda: b"curl http://127.0.0.1:8000/" in first.output, what="hello.py is served")
        do(second, ask)
