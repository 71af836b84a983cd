"""A connection with layers: opens them, reads through them, and lets them say their last words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.hot.dropping import drop_input
from corepool.hot.ending import break_off, end
from corepool.hot.entering import enter
from corepool.hot.interest import serve_later, wants_input
from corepool.hot.io import read
from corepool.hot.layer_errors import LayerError
from corepool.hot.layers import READ_BYTES
from corepool.hot.outside import run
from corepool.hot.sending import fail, send_queue
from corepool.hot.states import NOT_SERVING, READS_PER_EVENT
from corepool.spec.types import CloseReason

if TYPE_CHECKING:
    from corepool.hot.layers import Layers
    from corepool.hot.site import Held


def open_further(conn: Held) -> None:
    """Go on with the handshake; enter the listener's site when every layer is open. The first site's hook."""
    layers = conn.layers
    assert layers is not None
    if not layers.is_clear_sent:
        drop_input(conn)
        return
    if layers.holds_input:  # read in the clear, and not clear text
        _feed(conn, layers)
    if conn.reason is None and not _is_open(conn, layers) and conn.reason is None:
        _read_wire(conn, layers)
    if conn.reason is None and _is_open(conn, layers) and conn.site.then is not None:
        enter(conn, conn.site.then)
    elif conn.reason is None and layers.has_ended:  # before it was open
        conn.eof = True
        end(conn, CloseReason.EOF)


def receive(conn: Held, layers: Layers, limit: int) -> bytes:
    """Return plaintext."""
    if conn.site.then is not None:  # a protocol that has started the layers asks too early
        return b""
    layers.served_at = conn.site.reactor.now
    data = b""
    if layers.is_straight and limit > 0 and conn.reason is None:
        data = _receive_straight(conn, layers, limit)
        if data:
            if layers.holds_input:
                serve_later(conn, layers)
            return data
    elif not layers.holds_input and not layers.is_over:
        _read_wire(conn, layers)
    if not layers.is_straight and limit > 0 and conn.reason is None:
        try:
            data = layers.take(limit)
            conn.site.bytes_taken += len(data)
        except LayerError as error:
            fail(conn, layers, error)
    if layers.holds_input:
        serve_later(conn, layers)
    if not data and conn.reads_left == READS_PER_EVENT - 1:
        conn.site.ends += conn.reason is CloseReason.RESET or (layers.is_over and not conn.eof)
    conn.eof = conn.eof or layers.is_over
    return data


def _receive_straight(conn: Held, layers: Layers, limit: int) -> bytes:
    """Return plaintext of bytes that are read now."""
    wire = _read(conn)
    if wire is None:
        return b""
    try:
        layers.receive(wire)
        data = layers.take(limit)
    except LayerError as error:
        fail(conn, layers, error)
        return b""
    conn.site.bytes_taken += len(data)
    return data


def look(conn: Held, layers: Layers, limit: int) -> bytes:
    """Return the first plaintext, which stays to be received."""
    data = layers.peek(limit)
    for _ in range(READS_PER_EVENT):  # no event announces the rest, as that of a site which looks is edge-triggered
        if len(data) >= limit or layers.has_ended or conn.reason is not None or not _read_wire(conn, layers):
            break
        data = layers.peek(limit)
    layers.served_at = conn.site.reactor.now
    return data


def serve_unread(conn: Held, layers: Layers) -> None:
    """Serve input that a layer holds, unless an event of this turn of the loop has."""
    layers.queued = False
    if layers.served_at == conn.site.reactor.now:
        if layers.holds_input and wants_input(conn):
            serve_later(conn, layers)
        return
    layers.served_at = conn.site.reactor.now
    if conn.site.then is not None:
        if conn.reason is None:
            run(conn, lambda _: open_further(conn))
    elif layers.holds_input and wants_input(conn):
        conn.reads_left = READS_PER_EVENT
        conn.active_at = conn.site.reactor.now
        conn.site.on_readable(conn)
        conn.reads_left = NOT_SERVING
        if layers.holds_input:
            serve_later(conn, layers)


def finish(conn: Held, layers: Layers) -> bool:
    """Send the last words of the layers; False: they have not left yet."""
    if not layers.finished:
        try:
            layers.finish()
        except LayerError as error:
            fail(conn, layers, error)
        if layers:
            send_queue(conn)
    return not layers


def _read(conn: Held) -> bytes | None:
    """Return bytes from the wire, b"" at its end, or None: there are none now, or ever again."""
    try:
        data = read(conn.fd, READ_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        break_off(conn, CloseReason.RESET)
        return None
    conn.bytes_in += len(data)
    conn.site.bytes_in += len(data)
    return data


def _read_wire(conn: Held, layers: Layers) -> bool:
    """Read from the wire, and feed the layers; False: there was nothing to read."""
    data = _read(conn)
    if data is None:
        return False
    try:
        layers.receive(data)
    except LayerError as error:
        fail(conn, layers, error)
    return True


def _feed(conn: Held, layers: Layers) -> None:
    try:
        layers.feed()
    except LayerError as error:
        fail(conn, layers, error)


def _is_open(conn: Held, layers: Layers) -> bool:
    try:
        return layers.open()
    except LayerError as error:
        fail(conn, layers, error)
        return False
