"""`--reload`: a process beside the master that has it reload when a file changes. For development.

It is a process of its own, `python -m corepool.cli.watch PID PATH...`: the master starts no threads, and watchfiles
does. It ends with the master, whatever way that ends.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from corepool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from corepool.config.settings import Settings

_LOOK_MS = 500
"""How often it is looked whether the master is still there."""


class Watcher:
    """The process that watches. Use `start`, then `stop`."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = sorted({str(path.resolve()) for path in paths})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Watch from now on.

        :raises ConfigError: watchfiles is not installed.
        """
        if importlib.util.find_spec("watchfiles") is None:
            raise ConfigError(["--reload: needs watchfiles; `pip install watchfiles` gets it"])
        command = [sys.executable, "-m", __name__, str(os.getpid()), *self._paths]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  # our own

    def stop(self) -> None:
        """Watch no more. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def paths_of(settings: Settings, config: Path | None) -> list[Path]:
    """Say what to watch: where the pool was started, its file, and the folders that protocols take code from."""
    folders = [listener.options.get("directory") for listener in settings.listener]
    paths = [Path(), *(Path(folder) for folder in folders if isinstance(folder, str))]
    return [path for path in [*paths, *([config] if config else [])] if path.exists()]


def main(arguments: Sequence[str]) -> None:
    """Watch, until the master is gone."""
    from watchfiles import watch  # noqa: PLC0415  # for this process alone

    # Ctrl-C in the terminal is the master's business; it ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    master = int(arguments[0])
    for changes in watch(*arguments[1:], rust_timeout=_LOOK_MS, yield_on_timeout=True, raise_interrupt=False):
        if os.getppid() != master:
            return
        if changes:
            os.kill(master, signal.SIGHUP)


if __name__ == "__main__":
    main(sys.argv[1:])
