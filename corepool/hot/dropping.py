"""Input that is read and dropped: of a connection that is closed while its output leaves, or before STARTTLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.hot.ending import break_off
from corepool.hot.io import read
from corepool.hot.states import READS_PER_EVENT
from corepool.spec.types import CloseReason

if TYPE_CHECKING:
    from corepool.hot.site import Held

_PIECE = 65_536


def drop_input(conn: Held) -> bool:
    """Read and drop bytes, as many as one event may read, and note the end; return whether there were any."""
    has_dropped = False
    for _ in range(READS_PER_EVENT):
        try:
            data = read(conn.fd, _PIECE)
        except BlockingIOError:
            break
        except OSError:
            break_off(conn, CloseReason.RESET)
            break
        if not data:
            conn.eof = True
            break
        conn.bytes_in += len(data)
        conn.site.bytes_in += len(data)
        has_dropped = True
        if len(data) < _PIECE:
            break
    return has_dropped
