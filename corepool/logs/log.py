"""The log: one event per line on standard error or in a file, written without ever waiting for the reader.

A pipe that is not read, or a terminal that is stopped, would block the master and with it every client.
So standard error gets an open file description of our own that is non-blocking (setting O_NONBLOCK on the
one we were given would change it for the shell and every other process that shares it). Lines that can't be
written are dropped, and their number is written when there is room again.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import stat
from typing import Literal

from corepool.errors import ConfigError
from corepool.guards import HOOK_ERRORS
from corepool.logs import events
from corepool.logs.event import EventMessage
from corepool.logs.foreign_handlers import contain_handlers
from corepool.logs.formatters import JsonFormatter, TextFormatter
from corepool.logs.unhandled import log_unhandled

log = logging.getLogger(__name__)

_STDERR = 2

_NOWAIT: int = getattr(os, "RWF_NOWAIT", 0)
"""Of pwritev2(2): works for pipes, not for terminals. A Python that was built for an old C library lacks it."""

_NOT_THAT_WAY = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ESPIPE})


class LogHandler(logging.Handler):
    """Writes to a file or to standard error, without blocking. Owns `fd`, whose number stays the same."""

    def __init__(self, path: str | None, formatter: logging.Formatter) -> None:
        """Open it.

        :param path: None: standard error.
        :param formatter: writes any record, whatever its values are.
        :raises OSError: the file can't be opened.
        """
        super().__init__()
        self.setFormatter(formatter)
        self._formatter = formatter
        self._path = path
        self._owner = (-1, -1)
        self._socket: socket.socket | None = None
        self._dropped = 0
        self._is_torn = False
        self._may_block = False
        """`fd` shares an open file description that is not ours to be made non-blocking."""
        mode = os.fstat(_STDERR).st_mode if path is None else 0
        self._is_ours = False
        """The file was made by us, not found."""
        if path is not None:
            self.fd, self._is_ours = _open(path)
        elif stat.S_ISSOCK(mode):  # the journal
            self._socket = socket.socket(fileno=os.dup(_STDERR))
            self.fd = self._socket.fileno()
        else:
            is_waited_for = stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
            self.fd, self._may_block = _reopen(_STDERR) if is_waited_for else (os.dup(_STDERR), False)

    def reopen(self) -> None:
        """Open the file of that name, which may be another by now: the old one was moved away.

        :raises OSError: it can't be opened; the old one stays in use.
        """
        if self._path is None:
            return
        fd, self._is_ours = _open(self._path)
        try:
            os.dup2(fd, self.fd, inheritable=False)
        finally:
            os.close(fd)
        self._is_torn = False
        self._give()

    def entrust(self, uid: int, gid: int) -> None:
        """Let files that are made here belong to another user: workers open them, too.

        A file that was there before keeps its owner: in a folder that the workers may write to, it may be a hard link
        to anything, which root would give away.

        :raises OSError: the system refuses.
        """
        self._owner = (uid, gid)
        self._give()

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            return super().filter(record)
        except HOOK_ERRORS:  # of an application's filter: the line is written all the same
            return True

    def emit(self, record: logging.LogRecord) -> None:
        line = self._line(record)
        if self._dropped:
            dropped = EventMessage(events.log_lines_dropped, {"count": self._dropped})
            lost = logging.LogRecord(__name__, logging.WARNING, __file__, 0, dropped, (), None)
            line = f"{self._line(lost)}\n{line}"
        data = line.encode(errors="backslashreplace") + b"\n"
        if self._is_torn:  # the written part of the last line must not become the head of this one
            data = b"\n" + data
        try:
            if self._socket is not None:
                written = self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            else:
                written = _write_at_once(self.fd, data) if self._may_block else os.write(self.fd, data)
        except OSError:  # full, or its reader is gone: there is nowhere to say so
            self._dropped += 1
            return
        self._is_torn = written < len(data)
        self._dropped = int(self._is_torn)

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except KeyboardInterrupt:  # the operator's, where no loop runs yet
            raise
        except BaseException:  # noqa: BLE001  # of a formatter that an application has set: it must not end the caller
            return self._formatter.format(record)

    def _give(self) -> None:
        if self._is_ours and self._owner != (-1, -1):
            os.fchown(self.fd, *self._owner)


def start_log(level: str, style: Literal["auto", "text", "json"] = "auto", path: str | None = None) -> LogHandler:
    """Send the log of this process, and of those it forks, to standard error or a file.

    :param level: the least important level that is written.
    :param style: "auto" is text on a terminal, else JSON.
    :returns: the handler, whose `fd` must survive the fork.
    :raises ConfigError: the file can't be opened.
    """
    is_text = style == "text" or (style == "auto" and path is None and os.isatty(_STDERR))
    try:
        handler = LogHandler(path, TextFormatter() if is_text else JsonFormatter())
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ConfigError([not_opened(path, error)]) from None
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.raiseExceptions = False
    log_unhandled()
    contain_handlers()
    return handler


def log_fd() -> int:
    """Return the log's descriptor, whose number stays the same."""
    return next((each.fd for each in logging.getLogger().handlers if isinstance(each, LogHandler)), _STDERR)


def reopen_logs() -> None:
    """Open log files anew, since the old ones were moved away. A file that can't be opened stays as it is."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogHandler):
            try:
                handler.reopen()
            except OSError as error:
                events.log_file_not_reopened(log, reason=error)


def entrust_logs(uid: int, gid: int) -> None:
    """Let log files belong to the user and group of the workers."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogHandler):
            handler.entrust(uid, gid)


def _open(path: str) -> tuple[int, bool]:
    """Open a log file, and tell whether it was made now.

    :raises OSError: ELOOP, it is a link to a file.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o640), True
    except FileExistsError:
        pass
    try:
        return os.open(path, flags | os.O_NOFOLLOW), False
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
    fd = os.open(path, flags)
    try:
        refuse_link_to(os.fstat(fd).st_mode)
    except OSError:
        os.close(fd)
        raise
    return fd, False


def refuse_link_to(mode: int) -> None:
    """Refuse a link as the path of a log file: where others may make links, root would write wherever they want.

    :param mode: of the link's target: one to a pipe or a device, such as /dev/stdout, is followed.
    :raises OSError: ELOOP.
    """
    if not (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)):
        raise OSError(errno.ELOOP, "it is a link; name the file itself")


def not_opened(path: str | None, error: OSError | ValueError) -> str:
    """Return the mistake in the configuration that a log file can't be opened is."""
    return f'log.file = "{path}": can\'t be opened: {error.strerror if isinstance(error, OSError) else error}'


def _reopen(fd: int) -> tuple[int, bool]:
    """Open the file behind `fd` once more, non-blocking; True when it is a copy that may block."""
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_APPEND | os.O_NOCTTY | os.O_CLOEXEC
    try:
        return os.open(f"/proc/self/fd/{fd}", flags), False
    except OSError:
        # No /proc, a terminal or a pipe of another user (`su` in a container), or a pipe whose reader is gone.
        return os.dup(fd), True


def _write_at_once(fd: int, data: bytes) -> int:
    """Write as much as goes without waiting, to a descriptor that may block.

    :raises OSError: nothing goes without waiting, or the reader has gone.
    """
    if _NOWAIT:
        try:
            return os.pwritev(fd, [data], -1, _NOWAIT)  # -1: where it stands, as write(2)
        except OSError as error:
            if error.errno not in _NOT_THAT_WAY:
                raise
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    if not poller.poll(0):
        raise BlockingIOError
    # A descriptor that polls as writable takes as much, if no other process is faster.
    return os.write(fd, data[: select.PIPE_BUF])
