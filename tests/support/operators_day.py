"""Pools in folders of their own, started as an operator would: no --control, and one run-time folder for all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from commands_run import run_corepool

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from types import TracebackType

ECHO = """
[pool]
workers = 1
[[listener]]
name = "echo"
bind = ["tcp://127.0.0.1:0"]
protocol = "echo"
"""


class Day:
    """The folders, and the pools that were started in them. Use as a context manager: it ends them."""

    def __init__(self) -> None:
        # A short path: that of a socket has 107 bytes at most.
        self.root = Path(tempfile.mkdtemp(prefix="day-"))
        self.runtime = self.root / "run" / "corepool"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("COREPOOL_")},
            "XDG_RUNTIME_DIR": str(self.root / "run"),
            "COREPOOL_LOG_FORMAT": "text",
            "LC_ALL": "C.UTF-8",
        }
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._started:
            process.kill()
            process.wait()
        # Of those that were upgraded, the masters are no children of ours.
        for path in self.root.rglob("*.log"):
            if error is not None:
                error.add_note(f"--- {path} ---\n{path.read_text()}")
        self("ps", "--json")
        for pool in self.listed():
            self("stop", "--now", "--control", pool["control"])
        shutil.rmtree(self.root)

    def folder(self, name: str, toml: str | None = ECHO) -> Path:
        """Make a folder, with a configuration."""
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        if toml is not None:
            (folder / "corepool.toml").write_text(toml)
        return folder

    def start(self, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a pool in a folder, and wait until it serves."""
        log = self.root / f"{len(self._started)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(  # noqa: S603 - the arguments are the test's own
                [sys.executable, "-m", "corepool", *(arguments or ("run",))],
                cwd=folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        self._started.append(process)
        wait_until(lambda: "listening name=" in log.read_text() or process.poll() is not None, what="the pool serves")
        assert process.poll() is None, log.read_text()
        return process

    def log(self, process: subprocess.Popen[bytes]) -> str:
        """Return all that a pool has printed and logged."""
        return (self.root / f"{self._started.index(process)}.log").read_text()

    def __call__(self, *arguments: str, at: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run `corepool` in a folder; by default in one without a configuration."""
        return run_corepool(*arguments, folder=at or self.root, environment=self._environment)

    def listed(self) -> list[dict[str, Any]]:
        """Return the pools that run, as `ps` lists them."""
        pools: list[dict[str, Any]] = json.loads(self("ps", "--json").stdout)
        return pools

    def names(self) -> list[str]:
        """Return their names."""
        return [pool["name"] for pool in self.listed()]
