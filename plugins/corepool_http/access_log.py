"""A line for each response, in the formats that tools know."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from corepool.files.lines import LineFile, moment

if TYPE_CHECKING:
    from corepool import Worker
    from corepool_http.exchange import Exchange
    from corepool_http.message import Request
    from corepool_http.options import ServerOptions


class AccessLog:
    """One worker's access log."""

    def __init__(self, options: ServerOptions, worker: Worker) -> None:
        """Open it.

        :raises OSError: the file can't be opened.
        """
        self._format = {"common": _common, "combined": _combined, "json": _json}[options.access_log]
        self._file = LineFile(options.access_log_file, worker)

    def write(self, exchange: Exchange) -> None:
        """Add a line."""
        self._file.write(self._format(exchange))

    def reopen(self) -> None:
        """Reopen the file, after it was moved away."""
        self._file.reopen()

    def close(self) -> None:
        """Write the gathered lines, and close."""
        self._file.close()


def _escaped(text: str) -> str:
    # As nginx does: what would end the field, or the line, is written in hexadecimal.
    if text.isprintable() and '"' not in text and "\\" not in text and text.isascii():
        return text
    return "".join(char if " " <= char <= "~" and char not in '"\\' else f"\\x{ord(char):02X}" for char in text)


def _first_line(request: Request) -> str:
    line = request.line
    if not line.method:
        return "-"  # it was refused before its method was known
    version = f" HTTP/{request.version}" if request.version else ""
    return _escaped(f"{line.method} {line.target.decode('latin-1')}{version}")


def _common(exchange: Exchange) -> str:
    return f"{_line(exchange)}\n"


def _combined(exchange: Exchange) -> str:
    joined = exchange.request.section.joined
    referer, agent = (_escaped((joined(name) or b"-").decode("latin-1")) for name in (b"referer", b"user-agent"))
    return f'{_line(exchange)} "{referer}" "{agent}"\n'


def _line(exchange: Exchange) -> str:
    when = time.strftime("%d/%b/%Y:%H:%M:%S %z")
    # A trusted proxy's word may be an address with a zone, which may hold anything: this field has no quotes.
    host = _escaped(exchange.client.host).replace(" ", "\\x20") or "-"
    return f'{host} - - [{when}] "{_first_line(exchange.request)}" {exchange.status} {exchange.sent or "-"}'


def _json(exchange: Exchange) -> str:
    request = exchange.request
    line = {
        "time": moment(time.time()),
        "client": exchange.client.host,
        "method": request.line.method,
        "target": request.line.target.decode("latin-1"),
        "version": request.version,
        "status": exchange.status,
        "bytes": exchange.sent,
        "duration_ms": round((time.monotonic() - exchange.began_s) * 1000, 3),
        "host": (request.section.joined(b"host") or b"").decode("latin-1"),
        "referer": (request.section.joined(b"referer") or b"").decode("latin-1"),
        "agent": (request.section.joined(b"user-agent") or b"").decode("latin-1"),
    }
    return json.dumps(line) + "\n"
