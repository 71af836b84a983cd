"""A line for each response, in the formats that tools know."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from corepool.files.lines import LineFile, moment
from corepool_http.access_atoms import is_json, split_json
from corepool_http.access_format import Response, atom_of, compile_format, escaped, first_line, header

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool import Worker
    from corepool_http.exchange import Exchange
    from corepool_http.options import ServerOptions


class AccessLog:
    """One worker's access log."""

    def __init__(self, options: ServerOptions, worker: Worker) -> None:
        """Open it.

        :raises OSError: the file can't be opened.
        """
        self._format = _format(options.access_log)
        self._file = LineFile(options.access_log_file, worker)
        self._slot = worker.slot

    def write(self, exchange: Exchange, now_s: float) -> None:
        """Add a line.

        :param now_s: the monotonic clock.
        """
        self._file.write(self._format(Response(exchange, now_s - exchange.began_s, self._slot)) + "\n")

    def reopen(self) -> None:
        """Reopen the file, after it was moved away."""
        self._file.reopen()

    def close(self) -> None:
        """Write the gathered lines, and close."""
        self._file.close()


def _format(text: str) -> Callable[[Response], str]:
    if text == "common":
        return _line
    if text == "combined":
        return _combined
    if not is_json(text):
        return compile_format(text)
    more = [(name, atom_of(named)) for name, named in split_json(text).items()]
    if not more:
        return lambda response: json.dumps(_fields(response))
    return lambda response: json.dumps({**_fields(response), **{name: atom(response) for name, atom in more}})


def _combined(response: Response) -> str:
    referer, agent = (escaped(header(response.exchange, name) or "-") for name in (b"referer", b"user-agent"))
    return f'{_line(response)} "{referer}" "{agent}"'


def _line(response: Response) -> str:
    exchange = response.exchange
    when = time.strftime("%d/%b/%Y:%H:%M:%S %z")
    # A trusted proxy's word may be an address with a zone, which may hold anything: this field has no quotes.
    host = escaped(exchange.client.host).replace(" ", "\\x20") or "-"
    return f'{host} - - [{when}] "{escaped(first_line(exchange))}" {exchange.status} {exchange.sent or "-"}'


def _fields(response: Response) -> dict[str, object]:
    exchange = response.exchange
    request = exchange.request
    return {
        "time": moment(time.time()),
        "client": exchange.client.host,
        "method": request.line.method,
        "target": request.line.target.decode("latin-1"),
        "version": request.version,
        "status": exchange.status,
        "bytes": exchange.sent,
        "duration_ms": round(response.seconds * 1000, 3),
        "host": header(exchange, b"host"),
        "referer": header(exchange, b"referer"),
        "agent": header(exchange, b"user-agent"),
        "scheme": exchange.client.scheme,
        "request_id": header(exchange, b"x-request-id"),
        "listener": exchange.client.listener,
        "worker": response.slot,
        "pid": os.getpid(),
    }
