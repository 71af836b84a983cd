"""TLS of hosted asyncio servers: asyncio's own, over the pool's transport, with the server's own context.

So handshakes, their time-out, their failures and `get_extra_info` are as asyncio has them. It is slower than that of a
listener on tls://, whose facts `get_extra_info` knows, too.
"""

from __future__ import annotations

import asyncio
from asyncio.sslproto import SSLProtocol
from ssl import SSLContext, SSLObject
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from corepool import Worker


def encrypted(
    factory: Callable[[], asyncio.BaseProtocol],
    loop: asyncio.AbstractEventLoop,
    *,
    ssl: SSLContext | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    **_: object,
) -> Callable[[], asyncio.BaseProtocol]:
    """Return a factory of protocols for the wire, which have those of `factory` for the plaintext.

    The arguments are those of `loop.create_server`; without `ssl`, it is `factory` itself.

    :raises TypeError: as asyncio: `ssl` is no context.
    :raises ValueError: as asyncio: a time-out has no meaning without `ssl`, or is none.
    """
    no_waiter: Any = None
    timeouts: dict[str, Any] = {
        "ssl_handshake_timeout": ssl_handshake_timeout,
        "ssl_shutdown_timeout": ssl_shutdown_timeout,
    }
    if ssl is None:
        for name, value in timeouts.items():
            if value is not None:
                raise ValueError(f"{name} is only meaningful with ssl")
        return factory
    if not isinstance(ssl, SSLContext):
        raise TypeError("ssl argument must be an SSLContext or None")
    for name, value in timeouts.items():
        if value is not None and value <= 0:
            raise ValueError(f"{name} should be a positive number, got {value}")

    def make() -> asyncio.BaseProtocol:
        return SSLProtocol(loop, factory(), ssl, no_waiter, server_side=True, **timeouts)

    return make


def refuse_twice_encrypted(worker: Worker, protocol: str, mistake: Callable[[str], Exception]) -> None:
    """Refuse a server with TLS of its own whose listener speaks TLS already: no client would understand it.

    :param protocol: that hosts it.
    :param mistake: makes the error.
    """
    urls = (url for listener in worker.listeners if listener.protocol == protocol for url in listener.bind)
    for url in urls:
        if url.startswith("tls:"):
            raise mistake(f"it speaks TLS, and so does its listener on {url}; bind that to tcp://, or leave TLS to it")


def drop_clear_text(before: asyncio.BaseProtocol, after: asyncio.BaseProtocol) -> None:
    """Drop the input that a reader holds, if TLS takes its protocol's place on the wire (`StreamWriter.start_tls`).

    An attacker in between could have put it behind the command, to be taken for the client's words within TLS
    (CVE-2011-0411). asyncio leaves it to the reader.
    """
    reader = getattr(before, "_stream_reader", None)
    if isinstance(after, SSLProtocol) and isinstance(reader, asyncio.StreamReader):
        reader._buffer.clear()  # type: ignore[attr-defined]  # noqa: SLF001


def tls_info(facts: Mapping[str, object], name: str) -> object:
    """Return what `get_extra_info` knows of TLS that the pool's transport speaks; None: nothing.

    :param facts: of the connection.
    """
    session = facts.get("ssl_object")
    if not isinstance(session, SSLObject):
        return None
    match name:
        case "ssl_object":
            return session
        case "sslcontext":
            return session.context
        case "peercert":
            return session.getpeercert()
        case "cipher":
            return session.cipher()
        case "compression":
            return session.compression()
    return None
