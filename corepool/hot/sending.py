"""Output of one connection on its way to the kernel: in order, within bounds, without keeping the others waiting."""

from __future__ import annotations

from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.hot.dropping import drop_input
from corepool.hot.ending import break_off, end
from corepool.hot.filesegment import FileSegment
from corepool.hot.interest import watch
from corepool.hot.io import write
from corepool.hot.layer_errors import LayerError
from corepool.hot.outbox import Outbox
from corepool.hot.outside import guard
from corepool.hot.starting import begin_opening
from corepool.hot.states import GONE, NEVER, NOTHING, SENDS_PER_EVENT
from corepool.spec.types import CloseReason

if TYPE_CHECKING:
    from corepool.hot.layers import Layers
    from corepool.hot.site import Held


def enqueue(conn: Held, piece: bytes | FileSegment) -> None:
    """Add a piece behind others; above `output_limit` the connection is broken off."""
    out = conn.out
    if isinstance(out, bytes):
        out = conn.out = Outbox(out)
    elif conn.reads_left < 0 and not out:
        conn.site.unsent.append(conn)
    out.append(piece)
    if out.waiting > conn.site.output_limit:
        conn.site.owner.closing(conn, None)
        break_off(conn, CloseReason.OVERFLOW)


def send_output(conn: Held) -> None:
    """Send the output: on the hot path one piece, which the kernel takes at once."""
    out = conn.out
    journal = conn.journal
    if journal is not None:
        is_part = conn.busy or conn.eof or conn.pinned or conn.reason is not None or type(out) is not bytes
        journal.sends(conn, 0 if is_part or len(out) > conn.high else len(out))
    if type(out) is not bytes:
        send_queue(conn)
        return
    site = conn.site
    piece = out
    size = len(piece)
    try:
        sent = write(conn.fd, piece)
    except BlockingIOError:
        sent = 0
    except OSError:
        break_off(conn, CloseReason.RESET)
        return
    conn.bytes_out += sent
    site.bytes_out += sent
    if journal is not None:
        journal.sent(sent)
    if sent == size <= conn.high:
        conn.out = NOTHING
    else:
        conn.was_congested = size > conn.high
        conn.out = Outbox(memoryview(piece)[sent:])
        send_queue(conn)


def send_queue(conn: Held) -> None:
    """Send until everything is gone, the peer takes no more, or the others are due."""
    site = conn.site
    if conn.layers is not None and conn.mask == EPOLLIN and _send_straight(conn, conn.layers):
        return
    progress = False
    for _ in range(SENDS_PER_EVENT):
        if conn.out:
            if conn.congested:
                conn.was_congested = True
            sent = _send_piece(conn)
            if not sent and conn.out:
                break
            progress = True
            conn.bytes_out += sent
            site.bytes_out += sent
        if conn.was_congested and conn.buffered <= conn.low and conn.reason is None:
            conn.was_congested = False
            if site.on_writable is not None:
                # Not `run`: this call sends what the hook sends, within its budget. On the list of the unsent,
                # an endless producer with a greedy reader would have the worker to itself.
                guard(conn, site.on_writable)
        if not conn.out:
            break
    if conn.mask == GONE:
        return
    was_blocked = conn.blocked_at
    if not conn.out and not conn.was_congested:
        conn.blocked_at = NEVER
    elif progress or not was_blocked:
        conn.blocked_at = site.reactor.now
    if was_blocked and progress:
        conn.active_at = site.reactor.now
    watch(conn)
    if (not conn.blocked_at) != (not was_blocked):  # another time-out counts from here on
        site.deadlines.watch(conn)


def _send_straight(conn: Held, layers: Layers) -> bool:
    """Send all output, if it is short, as nearly all output is; False: some is left."""
    if conn.was_congested:
        return False
    try:
        wire = layers.pass_down(conn.high)
        if not wire:
            return False
        sent = write(conn.fd, wire)
    except BlockingIOError:
        return False
    except LayerError as error:
        fail(conn, layers, error)
        return False
    except OSError:
        break_off(conn, CloseReason.RESET)
        return False
    layers.advance(sent)
    conn.bytes_out += sent
    conn.site.bytes_out += sent
    return sent == len(wire)


def _send_piece(conn: Held) -> int:
    """Send from the front of the output; 0 when the peer takes no more or is gone."""
    out = conn.out
    if isinstance(out, bytes):
        out = conn.out = Outbox(out)
    layers = conn.layers
    is_clear = layers is not None and not layers.is_clear_sent
    if is_clear:
        drop_input(conn)
    try:
        front = out.front()
        if isinstance(front, FileSegment):
            sent = front.send_to(conn.fd)
        elif front:
            sent = write(conn.fd, front)
        else:  # a layer has kept it to itself: the next chunk may bring something
            return 0
    except BlockingIOError:
        return 0
    except LayerError as error:
        assert layers is not None
        fail(conn, layers, error)
        return 0
    except (OSError, EOFError):
        break_off(conn, CloseReason.RESET)
        return 0
    out.advance(sent)
    if layers is None:
        if not out:
            conn.out = NOTHING
    elif is_clear and layers.is_clear_sent and conn.reason is None:
        begin_opening(conn, layers)
    return sent


def fail(conn: Held, layers: Layers, error: LayerError) -> None:
    """Close, once the last words of the layers were sent."""
    conn.site.owner.closing(conn, error)
    try:
        layers.fail()
    except LayerError as another:
        conn.site.owner.closing(conn, another)
    conn.was_congested = False
    end(conn, CloseReason.LAYER)
