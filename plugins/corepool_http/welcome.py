"""The page of the demo pool: what runs here, live from the scoreboard. A WSGI application like any other."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from corepool import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from corepool import Worker

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="2">
<title>corepool</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 44em; margin: 2em auto; padding: 0 1em }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .2em .8em .2em 0; border-bottom: 1px solid #8884 }}
.number {{ text-align: right; font-variant-numeric: tabular-nums }}
</style>
<h1>corepool {version}</h1>
<p>This is the demo pool. Worker {slot} (process {pid}) made this page; all workers share the listeners.</p>
<h2>Listeners</h2>
<table id="listeners">
<tr><th>name<th>protocol<th>address
{listeners}</table>
<h2>Workers</h2>
<table id="workers">
<tr><th>slot<th>pid<th class="number">connections<th class="number">accepted<th class="number">requests
{workers}</table>
<p>Write a configuration of your own with <code>corepool init</code>. The same as <a href="status.json">JSON</a>.</p>
"""


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Show the pool."""
    worker: Worker = environ["corepool.worker"]
    match environ["PATH_INFO"]:
        case "/":
            kind, content = "text/html; charset=utf-8", _page(worker)
        case "/status.json":
            kind, content = "application/json", _status(worker)
        case _:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"404 Not Found\n"]
    start_response("200 OK", [("Content-Type", kind), ("Cache-Control", "no-store")])
    return [content.encode()]


def _page(worker: Worker) -> str:
    listeners = "".join(
        f"<tr><td>{html.escape(each.name)}<td>{html.escape(each.protocol)}<td>{html.escape(' '.join(each.bind))}\n"
        for each in worker.listeners
    )
    workers = "".join(
        f'<tr><td>{each.slot}<td>{each.pid}<td class="number">{each.connections}<td class="number">{each.accepted}'
        f'<td class="number">{each.requests}\n'
        for each in worker.loads()
    )
    return _PAGE.format(version=__version__, slot=worker.slot, pid=worker.pid, listeners=listeners, workers=workers)


def _status(worker: Worker) -> str:
    listeners = [{"name": each.name, "protocol": each.protocol, "bind": each.bind} for each in worker.listeners]
    workers = [each._asdict() for each in worker.loads()]
    return json.dumps({"version": __version__, "slot": worker.slot, "listeners": listeners, "workers": workers})
