"""Pools that speak TLS, and clients of theirs: `openssl s_client`, and those of the standard library."""

from __future__ import annotations

import socket
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from certificates import authority_pem, client_context, pair

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from corepool.testing.pool import PoolProcess


def tls_url(folder: Path, *names: str, **query: object) -> str:
    """Write a certificate, and the authority's as ca.pem, into a folder, and return a URL to bind to with them."""
    certificate, key = pair(*names).write(folder)
    (folder / "ca.pem").write_text(authority_pem())
    return f"tls://127.0.0.1:0?{urlencode({'cert': certificate, 'key': key, **query})}"


def port_of(running: PoolProcess) -> int:
    """Return the port of the first address."""
    port = urlsplit(running.urls()[0]).port
    assert port is not None
    return port


def connect_tls(running: PoolProcess, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    """Connect to the first address, and shake hands."""
    plain = socket.create_connection(("127.0.0.1", port_of(running)), timeout=300)
    return (context or client_context()).wrap_socket(plain, server_hostname="localhost")


def s_client(running: PoolProcess, folder: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run `openssl s_client`, which sends `text` and its end; what it prints, and its status."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port_of(running)}", "-servername", "localhost"]
    command += ["-CAfile", str(folder / "ca.pem"), "-verify_return_error", *arguments]
    return subprocess.run(  # noqa: S603
        command, input=text, capture_output=True, text=True, errors="replace", timeout=300, check=False
    )  # it prints what the server sends, such as frames of HTTP/2
