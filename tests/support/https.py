"""A pool that speaks HTTPS, and clients that trust the tests' authority."""

from __future__ import annotations

import json
import socket
import ssl
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

from certificates import Pair, client_context, pair
from http_client import APPLICATIONS, receive_response, request

from corepool.testing.waiting import DEADLINE_S

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from http_client import Response

    from corepool.testing.pool import PoolProcess

HERE = ("localhost", "127.0.0.1")

TOML = """
[process]
{process}
[pool]
workers = {workers}
dispatcher = "{dispatcher}"
[[listener]]
name = "https"
bind = ["tls://127.0.0.1:0?cert={cert}&key={key}&handshake_timeout=600{more}"]
protocol = "http"
[listener.options]
target = {target}
directory = {directory}
keep_alive = 3600
header_timeout = 600
"""


class Files(NamedTuple):
    """A certificate and its key, where a pool reads them."""

    cert: Path
    key: Path

    @classmethod
    def of(cls, folder: Path, *names: str) -> Files:
        """Write a first certificate."""
        return cls(*named(*names).write(folder))

    def replace(self, new: Pair) -> None:
        """Write another certificate and its key, the one after the other, as most clients of ACME do."""
        self.cert.write_bytes(new.certificate)
        self.key.write_bytes(new.key)


def named(*names: str) -> Pair:
    """Return a certificate for this machine, and for these names: others make another one."""
    return pair(*HERE, *names)


def https_toml(
    files: Files,
    target: str = "secured:wsgi",
    *,
    workers: int = 4,
    dispatcher: str = "round-robin",
    process: str = "",
    more: str = "",
) -> str:
    return TOML.format(
        workers=workers,
        dispatcher=dispatcher,
        process=process,
        cert=files.cert,
        key=files.key,
        more=more,
        target=json.dumps(target),
        directory=json.dumps(str(APPLICATIONS)),
    )


def der(of: Pair) -> bytes:
    """Return a certificate as a client has it."""
    return ssl.PEM_cert_to_DER_cert(of.leaf.decode())


class Client:
    """A connection over TLS. Use as a context manager."""

    def __init__(
        self, running: PoolProcess, *, context: ssl.SSLContext | None = None, resume: Client | None = None
    ) -> None:
        address = urlsplit(running.urls()[0])
        sock = socket.create_connection((address.hostname, address.port), DEADLINE_S)
        its = (context or client_context()) if resume is None else resume.socket.context
        session = None if resume is None else resume.socket.session
        self.socket = its.wrap_socket(sock, server_hostname="localhost", session=session)

    def get(self, path: str = "/") -> Response:
        """Send a request, and receive its response."""
        self.socket.sendall(request(path, close=False))
        return receive_response(self.socket)

    @property
    def certificate(self) -> bytes | None:
        return self.socket.getpeercert(binary_form=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()


def presented(running: PoolProcess, times: int = 8) -> set[bytes | None]:
    """Return the certificates that new connections are shown, each of which is served."""
    found = set()
    for _ in range(times):
        with Client(running) as client:
            assert client.get().status == 200
            found.add(client.certificate)
    return found
