"""The same servers with TLS, and a certificate for them: ECDSA with P-256, signed by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.load import program
from benchmarks.needs import require
from benchmarks.servers import corepool_http, granian, nginx, uvicorn

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.servers import Server


def make_certificate(folder: Path, core: int) -> None:
    """Write cert.pem and key.pem, the key for its owner alone."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"))
    program.run([require("openssl"), "req", "-x509", *curve, "-nodes", "-days", "30", *names, *files], core)
    (folder / "key.pem").chmod(0o600)


def corepool_tls(folder: Path, what: str, *, root: str = "", dispatcher: str = "least-connections") -> Server:
    """Start a pool as `corepool_http` does, with TLS."""
    plain = corepool_http(what, root=root, dispatcher=dispatcher)
    url = f"tls://127.0.0.1:{{port}}?cert={folder}/cert.pem&key={folder}/key.pem"
    return replace(plain, command=tuple(url if part.startswith("tcp:") else part for part in plain.command))


def granian_tls(folder: Path, interface: str) -> Server:
    """Start granian with TLS, by rustls."""
    plain = granian(interface)
    flags = ("--ssl-certificate", f"{folder}/cert.pem", "--ssl-keyfile", f"{folder}/key.pem")
    return replace(plain, command=(*plain.command[:-1], *flags, plain.command[-1]))


def uvicorn_tls(folder: Path) -> Server:
    """Start uvicorn with TLS: that of uvloop."""
    plain = uvicorn()
    flags = ("--ssl-certfile", f"{folder}/cert.pem", "--ssl-keyfile", f"{folder}/key.pem")
    return replace(plain, command=(*plain.command[:-1], *flags, plain.command[-1]))


def nginx_tls(folder: Path, root: str) -> Server:
    """Start nginx with TLS 1.2 and 1.3 and session tickets, as its default is."""
    plain = nginx(root)
    certificate = f"ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; "
    command = tuple(
        part.replace("{port} reuseport; ", "{port} ssl reuseport; ssl_protocols TLSv1.2 TLSv1.3; " + certificate)
        for part in plain.command
    )
    return replace(plain, command=command)
