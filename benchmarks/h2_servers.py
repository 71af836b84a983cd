"""The same servers with HTTP/2 in the clear, for clients that know it beforehand; corepool needs no flag for that."""

from __future__ import annotations

import sys
from dataclasses import replace

from benchmarks.servers import Server, granian, nginx


def granian_h2(interface: str) -> Server:
    """Start granian with HTTP/2 alone. `bulk` is ASGI."""
    return granian("wsgi" if interface == "wsgi" else "asgi", interface, http=2)


def hypercorn_h2(what: str) -> Server:
    """Start Hypercorn, ASGI on asyncio and the library h2: HTTP/2 in Python."""
    command = (sys.executable, "-m", "hypercorn", "--bind", "127.0.0.1:{port}", "--workers", "1")
    options = ("--log-level", "error", f"benchmarks.peers.hello:{what}")
    return Server("hypercorn", command + options, says_ready=False, needs=("hypercorn",))


def nginx_h2(root: str) -> Server:
    """Start nginx with HTTP/2 in the clear."""
    plain = nginx(root)
    more = "{port} http2 reuseport; http2_max_requests 1000000000; "
    return replace(plain, command=tuple(part.replace("{port} reuseport; ", more) for part in plain.command))
