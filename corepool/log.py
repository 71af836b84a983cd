"""The log: one event a line on standard error, written without ever waiting for whoever reads it.

A pipe that nobody empties, or a terminal that is stopped, would block the master and with it every client.
So standard error gets an open file description of our own that is non-blocking (setting O_NONBLOCK on the
one we were given would change it for the shell and every other process that shares it). What can't be
written is dropped, and the number of dropped lines is written when there is room again.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
import time

_STDERR = 2


class StderrHandler(logging.Handler):
    """Writes to standard error without blocking. Owns `fd`."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_LineFormatter())
        self._socket: socket.socket | None = None
        self._dropped = 0
        mode = os.fstat(_STDERR).st_mode
        if stat.S_ISSOCK(mode):  # the journal
            self._socket = socket.socket(fileno=os.dup(_STDERR))
            self.fd = self._socket.fileno()
        else:
            self.fd = _reopen(_STDERR) if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) else os.dup(_STDERR)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001  # as logging does: a bad call must not end its caller
            self.handleError(record)
            return
        if self._dropped:
            line = f"{self._dropped} log lines dropped: standard error took no more\n{line}"
        data = line.encode(errors="backslashreplace") + b"\n"
        try:
            if self._socket is not None:
                written = self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            else:
                written = os.write(self.fd, data)
        except OSError:  # full, or its reader is gone: there is nowhere to say so
            self._dropped += 1
            return
        self._dropped = 0 if written == len(data) else 1


class _LineFormatter(logging.Formatter):
    """2026-01-31T12:00:00.123Z INFO [pid] message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s [%(process)d] %(message)s", "%Y-%m-%dT%H:%M:%S")

    converter = staticmethod(time.gmtime)


def log_to_stderr(level: str) -> StderrHandler:
    """Send what is logged in this process, and in those it forks, to standard error.

    :param level: the least important level that is written.
    :returns: the handler, whose `fd` must survive the fork.
    """
    handler = StderrHandler()
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.raiseExceptions = False
    return handler


def _reopen(fd: int) -> int:
    """Open what `fd` refers to once more, non-blocking."""
    try:
        return os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_APPEND | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        # No /proc, a terminal of another user, or a pipe whose reader is gone: a copy will do.
        return os.dup(fd)
