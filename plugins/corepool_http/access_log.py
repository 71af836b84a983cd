"""A line for each response, in the formats that tools know; written once a batch."""

from __future__ import annotations

import json
import logging
import os
import select
import stat
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corepool import Worker
    from corepool_http.exchange import Exchange
    from corepool_http.options import HttpOptions

log = logging.getLogger(__name__)

_MOST_WAITING = 10_000
"""Lines that wait for a reader that is too slow; more are lost, and counted."""


_PAGE = select.PIPE_BUF


class AccessLog:
    """One worker's access log."""

    def __init__(self, options: HttpOptions, worker: Worker) -> None:
        self._format = {"common": _common, "combined": _combined, "json": _json}[options.access_log]
        self._worker = worker
        self._lines: list[str] = []
        self._lost = 0
        if options.access_log_file == "-":
            self._fd = os.dup(sys.stdout.fileno())
        else:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._fd = os.open(options.access_log_file, flags, 0o640)
        self._path = options.access_log_file
        self._is_file = stat.S_ISREG(os.fstat(self._fd).st_mode)
        self._poller = select.poll()
        self._poller.register(self._fd, select.POLLOUT)
        self._is_announced = False

    def write(self, exchange: Exchange) -> None:
        """Add a line; it is written when the batch is over."""
        if len(self._lines) >= _MOST_WAITING:
            self._lost += 1
            return
        self._lines.append(self._format(exchange))
        if not self._is_announced:
            self._is_announced = True
            self._worker.at_batch_end(self.flush)

    def flush(self) -> None:
        """Write what has gathered, in one call."""
        self._is_announced = False
        lines, self._lines = self._lines, []
        data = memoryview("".join(lines).encode())
        try:
            while data:
                # A pipe that nobody reads must stop no worker: what poll(2) calls writable takes a page at once.
                if not self._is_file and not self._poller.poll(0):
                    self._lose(len(lines), "nobody reads it")
                    return
                data = data[os.write(self._fd, data if self._is_file else data[:_PAGE]) :]
        except OSError as error:
            self._lose(len(lines), str(error))

    def _lose(self, lines: int, why: str) -> None:
        if not self._lost:
            log.error("access log %s: %s; lines are lost", self._path, why)
        self._lost += lines

    def reopen(self) -> None:
        """Open the file anew: somebody has moved it away."""
        if self._path == "-":
            return
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        os.dup2(fd, self._fd, inheritable=False)
        os.close(fd)

    def close(self) -> None:
        """Write what is left, and close."""
        self.flush()
        os.close(self._fd)


def _quoted(value: bytes) -> str:
    # As nginx does: what would end the field, or the line, is written in hexadecimal.
    text = value.decode("latin-1")
    if text.isprintable() and '"' not in text and "\\" not in text and text.isascii():
        return text
    return "".join(char if " " <= char <= "~" and char not in '"\\' else f"\\x{ord(char):02X}" for char in text)


def _common(exchange: Exchange) -> str:
    return f"{_line(exchange)}\n"


def _combined(exchange: Exchange) -> str:
    fields = exchange.request.section.fields
    referer, agent = (_quoted(fields.get(name, b"-")) for name in (b"referer", b"user-agent"))
    return f'{_line(exchange)} "{referer}" "{agent}"\n'


def _line(exchange: Exchange) -> str:
    request = exchange.request
    when = time.strftime("%d/%b/%Y:%H:%M:%S %z")
    first = f"{request.line.method} {_quoted(request.line.target)} HTTP/{request.version}"
    return f'{exchange.client.host or "-"} - - [{when}] "{first}" {exchange.status} {exchange.sent or "-"}'


def _json(exchange: Exchange) -> str:
    request = exchange.request
    line = {
        "time": time.time(),
        "client": exchange.client.host,
        "method": request.line.method,
        "target": request.line.target.decode("latin-1"),
        "version": request.version,
        "status": exchange.status,
        "bytes": exchange.sent,
        "duration_ms": round((time.monotonic() - exchange.began_s) * 1000, 3),
        "host": request.section.fields.get(b"host", b"").decode("latin-1"),
        "referer": request.section.fields.get(b"referer", b"").decode("latin-1"),
        "agent": request.section.fields.get(b"user-agent", b"").decode("latin-1"),
    }
    return json.dumps(line) + "\n"
