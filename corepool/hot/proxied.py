"""The PROXY header of a connection: read before its layers and its protocol, and not a byte more.

No input is held here that belongs to others. So a connection whose header was read is as any other: it can move, and
outlive a crash of its worker. It is looked at (MSG_PEEK), and then read as far as it certainly is the header's: bytes
that were left there would have a level-triggered epoll report them again and again, until the rest comes.
"""

from __future__ import annotations

from os import read
from typing import TYPE_CHECKING

from corepool.hot.ending import break_off
from corepool.hot.proxy_protocol import MAX_HEADER_BYTES, ProxyHeaderError, length_of, parse
from corepool.hot.sockets import peek
from corepool.spec.types import CloseReason

if TYPE_CHECKING:
    from corepool.hot.site import Held
    from corepool.spec.proxy_header import ProxyHeader


def read_header(conn: Held) -> ProxyHeader | None:
    """Read on, and return the header once it is whole. The part that was read is the session until then.

    :returns: None: more has to come, or the connection has ended.
    :raises ProxyHeaderError: it is none, it is malformed, or it ends in the middle.
    """
    held = conn.session if isinstance(conn.session, bytes) else b""
    try:
        seen = peek(conn.fd, MAX_HEADER_BYTES)
        length = length_of(held + seen)
        taken = read(conn.fd, min(length - len(held), len(seen)) if length else len(seen))
    except BlockingIOError:
        return None
    except OSError:
        break_off(conn, CloseReason.RESET)
        return None
    if not taken:
        conn.eof = True
        if held:
            raise ProxyHeaderError(f"it ends after {len(held)} bytes")
        return None  # a port scan, or a health check that only connects
    conn.bytes_in += len(taken)
    conn.site.bytes_in += len(taken)
    conn.session = header = held + taken
    if len(header) != length:
        return None
    conn.session = None
    return parse(header)
