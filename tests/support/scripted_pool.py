"""One pool with the scripted applications: WSGI in the loop, WSGI in threads, ASGI."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from http_client import APPLICATIONS

from corepool.testing.pools import Pools

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess

MODES = ("loop", "threads", "asgi")

_LISTENER = '[[listener]]\nname = "{name}"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "http"\n{listener}\n'


@contextlib.contextmanager
def scripted_pool(listener: str = "", **options: object) -> Iterator[PoolProcess]:
    """Start the pool; its log may hold tracebacks, which some tests are about."""
    toml = "[pool]\nworkers = 1\n"
    for name in MODES:
        of_mode = {
            "target": "scripted:asgi" if name == "asgi" else "scripted:wsgi",
            "directory": str(APPLICATIONS),
            "threads": 2 if name == "threads" else 0,
            **options,
        }
        lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in of_mode.items())
        toml += _LISTENER.format(name=name, listener=listener) + f"[listener.options]\n{lines}\n"
    with Pools() as pools:
        yield pools(toml, traceback=True)


def script(mode: str, status: int, headers: list[tuple[str, str]], pieces: list[bytes], end: str = "return") -> str:
    """Write the target that has an application answer so, in the terms of its interface."""
    if mode == "asgi":
        return literal(
            status, [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers], pieces, end
        )
    return literal(f"{status} Because", headers, pieces, end)


def literal(status: object, headers: object, pieces: object, end: str = "return") -> str:
    """Write the target that has an application answer so, whatever that is."""
    return "/?" + quote(repr((status, headers, pieces, end)))
