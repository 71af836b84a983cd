"""`--reload`: a process beside the master that has it reload when its source changes. For development.

It is a process of its own, `python -m corepool.cli.watch ORDERS`: the master starts no threads, and
watchfiles does. It ends with the master, whatever way that ends.

Only modules and the configuration count: logs, databases and uploads often lie beside them, and a reload that
writes a line to a log would bring on the next.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Self

from corepool.cli.output import write
from corepool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from corepool.config.settings import Settings

_LOOK_MS = 500
"""How often the configuration is looked at."""

_PATIENCE_S = 1.0

_MAX_NAMED = 3
"""Of files that change at once, as when switching branches: the line is to be read at a glance."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The files that count: modules, and those that match `include`, but none that match `exclude`.

    Patterns are those of `PurePath.match`, such as `*.html` or `conf/*.ini`; `exclude` may name folders, too.
    """

    folders: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        wanted: bool,  # noqa: FBT001  # of a flag
        folders: Sequence[Path] | None,
        include: Sequence[str] | None,
        exclude: Sequence[str] | None,
    ) -> Self | None:
        """Return it as the flags have it; None: nothing is watched.

        :raises ConfigError: a folder is missing; or the others were given without --reload.
        """
        if not wanted:
            given = {"--reload-dir": folders, "--reload-include": include, "--reload-exclude": exclude}
            if any(given.values()):
                named = " and ".join(flag for flag, value in given.items() if value)
                raise ConfigError([f"{named}: without --reload no file is watched"])
            return None
        missing = [each for each in folders or () if not each.is_dir()]
        if missing:
            raise ConfigError([f"--reload-dir {each}: there is no such folder" for each in missing])
        resolved = [str(each.resolve()) for each in folders or ()]
        return cls(tuple(resolved), tuple(include or ()), tuple(exclude or ()))

    def counts(self, path: str, *, is_module: bool) -> bool:
        """Return whether a change of a file counts."""
        pure = PurePath(path)
        if any(each.match(pattern) for pattern in self.exclude for each in (pure, *pure.parents)):
            return False
        return is_module or any(pure.match(pattern) for pattern in self.include)


class Watcher:
    """The process that watches. Use `start`, then `stop`."""

    def __init__(self, watched: Watched, config: Path | None) -> None:
        """Prepare; call it before the configuration is read: what changes from now on counts.

        :raises ConfigError: watchfiles is not installed.
        """
        if importlib.util.find_spec("watchfiles") is None:
            raise ConfigError(["--reload: needs watchfiles; `pip install watchfiles` gets it"])
        self._watched = watched
        self._config = "" if config is None else str(config.absolute())
        self._version = _version(self._config)
        self._since_ns = time.time_ns()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, settings: Settings) -> None:
        """Watch from now on: the given folders, or else those of the code that `settings` name."""
        # Until the pool handles it, and when it no longer does, HUP would end the master.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # A .pyc records its source's time to the second: of two versions saved within one, the first would stay.
        sys.dont_write_bytecode = True
        folders = self._watched.folders or tuple(map(str, folders_of(settings)))
        orders = {
            "master": os.getpid(),
            "config": self._config,
            "version": self._version,
            "since_ns": self._since_ns,
            "log": settings.log.file or "",
            **asdict(replace(self._watched, folders=folders)),
        }
        # -P: or the watcher would import files of the application's folder, such as a logging.py.
        command = [sys.executable, "-P", "-m", __name__, json.dumps(orders)]
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
    from watchfiles import Change, DefaultFilter, PythonFilter, watch  # noqa: PLC0415  # for this process alone

    from corepool.worker.process import die_with_master  # noqa: PLC0415  # looks up prctl, which a test need not

    for signum in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_IGN)  # of the terminal: the master's business; it ends us
    orders: dict[str, Any] = json.loads(arguments[0])
    master, config = orders["master"], orders["config"]
    watched = Watched(*(tuple(orders[key]) for key in ("folders", "include", "exclude")))
    die_with_master(master)
    modules, usual = PythonFilter(), DefaultFilter()

    logs = {_identity(file) for file in (1, 2, orders["log"])}  # a reload writes to them: it would bring on the next

    def counts(path: str) -> bool:
        if _identity(path) in logs - {None}:
            return False
        return usual(Change.modified, path) and watched.counts(path, is_module=modules(Change.modified, path))

    seen = tuple(orders["version"])
    is_first = True
    try:
        # Filtered here: watchfiles stays silent while only other files change, and the rest would not be looked at.
        for changes in watch(
            *watched.folders,
            watch_filter=None,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            ignore_permission_denied=True,
        ):
            paths = {path for _, path in changes}
            if is_first:  # files are watched now; those that were saved before this process had begun are looked for
                paths |= set(_changed_since(orders["since_ns"], watched.folders, usual.ignore_dirs))
                is_first = False
            # Looked at rather than watched: a watched file is lost when an editor puts another in its place.
            now = _version(config) or seen
            changed = [config] if now != seen else []
            changed += sorted({path for path in paths if counts(path)} - {config})
            if changed:
                write(sys.stderr, f"corepool: changed: {_names(changed)}; reloading", _PATIENCE_S)
                os.kill(master, signal.SIGHUP)
            seen = now
    except (OSError, RuntimeError) as error:  # watchfiles' own errors: the system's limit of watches, above all
        write(sys.stderr, f"corepool: --reload: files are not watched any more: {error}", _PATIENCE_S)


def _changed_since(since_ns: int, folders: Iterable[str], ignored: Collection[str]) -> Iterator[str]:
    for folder in folders:
        for where, folders_there, files in os.walk(folder):
            folders_there[:] = [each for each in folders_there if each not in ignored]
            for name in files:
                path = os.path.join(where, name)  # noqa: PTH118  # as os.walk gives them
                if (version := _version(path)) and version[0] > since_ns:
                    yield path


def _identity(file: str | int) -> tuple[int, int] | None:
    """Return the device and inode of a file or descriptor; None: it is missing."""
    try:
        status = os.stat(file)  # noqa: PTH116  # a descriptor, too
    except OSError:
        return None
    return status.st_dev, status.st_ino


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
