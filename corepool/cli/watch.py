"""`--reload`: a process beside the master that has it reload when its source changes. For development.

It is a process of its own, `python -m corepool.cli.watch MASTER FILE FOLDER...`: the master starts no threads, and
watchfiles does. It ends with the master, whatever way that ends.

Only modules and the configuration count: logs, databases and uploads often lie beside them, and a reload that
writes a line to a log would bring on the next.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from corepool.cli.output import write
from corepool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from corepool.config.settings import Settings

_LOOK_MS = 500
"""How often the configuration is looked at."""

_PATIENCE_S = 1.0

_MAX_NAMED = 3
"""Of files that change at once, as when switching branches: the line is to be read at a glance."""


class Watcher:
    """The process that watches. Use `start`, then `stop`."""

    def __init__(self, folders: Iterable[Path], config: Path | None) -> None:
        """Prepare.

        :raises ConfigError: watchfiles is not installed.
        """
        if importlib.util.find_spec("watchfiles") is None:
            raise ConfigError(["--reload: needs watchfiles; `pip install watchfiles` gets it"])
        self._arguments = ["" if config is None else str(config.absolute()), *map(str, folders)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Watch from now on."""
        # Until the pool handles it, and when it no longer does, HUP would end the master.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # A .pyc records its source's time to the second: of two versions saved within one, the first would stay.
        sys.dont_write_bytecode = True
        # -P: or the watcher would import files of the application's folder, such as a logging.py.
        command = [sys.executable, "-P", "-m", __name__, str(os.getpid()), *self._arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  # our own

    def stop(self) -> None:
        """Watch no more. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def folders_of(settings: Settings) -> list[Path]:
    """Return the folders of code: the one in which the pool was started, and those that protocols import from."""
    named = [listener.options.get("directory") for listener in settings.listener]
    folders = {path.resolve() for path in [Path(), *(Path(each) for each in named if isinstance(each, str))]}
    return sorted(path for path in folders if path.is_dir())


def main(arguments: Sequence[str]) -> None:
    """Watch, until the master is gone."""
    from watchfiles import PythonFilter, watch  # noqa: PLC0415  # for this process alone

    from corepool.worker.process import die_with_master  # noqa: PLC0415  # looks up prctl, which a test need not

    for signum in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_IGN)  # of the terminal: the master's business; it ends us
    master, config, folders = int(arguments[0]), arguments[1], arguments[2:]
    die_with_master(master)
    is_source = PythonFilter()
    seen = _version(config)
    try:
        # Filtered here: watchfiles stays silent while only other files change, and the rest would not be looked at.
        for changes in watch(
            *folders,
            watch_filter=None,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            ignore_permission_denied=True,
        ):
            # Looked at rather than watched: a watched file is lost when an editor puts another in its place.
            now = _version(config) or seen
            changed = [config] if now != seen else []
            changed += sorted({path for change, path in changes if is_source(change, path)} - {config})
            if changed:
                write(sys.stderr, f"corepool: changed: {_names(changed)}; reloading", _PATIENCE_S)
                os.kill(master, signal.SIGHUP)
            seen = now
    except (OSError, RuntimeError) as error:  # watchfiles' own errors: the system's limit of watches, above all
        write(sys.stderr, f"corepool: --reload: files are not watched any more: {error}", _PATIENCE_S)


def _names(paths: Sequence[str]) -> str:
    """Name files as seen from here; of many, only the first ones."""
    shown = ", ".join(os.path.relpath(path) for path in paths[:_MAX_NAMED])
    more = len(paths) - _MAX_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _version(path: str) -> tuple[int, ...]:
    """Return a value that differs between two states of a file; () for a missing one."""
    try:
        status = os.stat(path)  # noqa: PTH116  # Path("") would be the folder we are in
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_ino, status.st_size


if __name__ == "__main__":
    main(sys.argv[1:])
