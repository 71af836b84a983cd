"""What the system would refuse at a start, found beforehand: nothing is made, opened for good or changed.

Each check belongs to the code that does the thing later, and speaks with its words. Not found here: another process
that holds an address or a lock, which mostly is this pool, running; a disk that is full; the application.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from corepool.errors import ConfigError
from corepool.files import socketfile
from corepool.files.examining import refuse_new_folder, refuse_unwritable
from corepool.logs.log import not_opened, refuse_link_to
from corepool.logs.log_config import not_read
from corepool.system import identity
from corepool.system.pidfile import PidFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.config.settings import Settings


def refusals(settings: Settings) -> Iterator[str]:
    """Yield a mistake for each setting of [process], [log] and [control] that the system would refuse."""
    yield from identity.examine(settings.process)
    pidfile = settings.process.pidfile
    if pidfile is not None and "\0" not in pidfile:
        try:
            PidFile(Path(pidfile)).examine()
        except ConfigError as error:
            yield from error.mistakes
    if settings.log.file is not None:
        yield from _of_log(settings.log.file)
    if settings.log.config is not None:
        yield from _of_log_config(settings.log.config)
    if settings.control.socket is not None and "\0" not in settings.control.socket:
        yield from _of_control_socket(Path(settings.control.socket))


def _of_log(path: str) -> Iterator[str]:
    try:
        refuse_unwritable(path)
        if Path(path).is_symlink():
            refuse_link_to(Path(path).stat().st_mode)
    except (OSError, ValueError) as error:  # ValueError: a NUL
        yield not_opened(path, error)


def _of_log_config(path: str) -> Iterator[str]:
    try:
        # Not blocking: a FIFO without a writer would hold it up.
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        if Path(path).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except (OSError, ValueError) as error:  # ValueError: a NUL
        yield not_read(path, error)


def _of_control_socket(path: Path) -> Iterator[str]:
    try:
        refuse_new_folder(path.parent)
        if path.parent.exists():
            socketfile.examine(path)
    except OSError as error:
        yield f"control.socket: control socket {path}: {error.strerror or error}"
