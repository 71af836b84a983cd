"""TLS, or another layer, on a connection that its protocol has met in the clear: STARTTLS.

The order of bytes is the whole matter. Output that was sent before leaves in the clear. Input that comes until then is
dropped, since a client may have been told to send it by an attacker in between (CVE-2011-0411): it is read away right
before each piece of that output is written, so a client that waits for the answer, as it has to, loses nothing. What
comes later is the layer's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.hot.entering import start_opening
from corepool.hot.interest import watch
from corepool.hot.layers import Layers
from corepool.hot.outbox import Outbox
from corepool.hot.states import NOT_SERVING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool.hot.site import Held
    from corepool.spec.layer import Layer


def start(conn: Held, stack: Sequence[Layer], received: bytes) -> None:
    """Put layers between the wire and a protocol that has met the connection, behind its unsent output.

    :param received: bytes that were read in the clear, and that are the layers' if all output has left.
    :raises RuntimeError: no protocol was chosen yet.
    """
    opening = conn.site.opening
    if opening is None:
        raise RuntimeError("start_tls: the connection has no protocol yet, which could go on in TLS")
    assert not isinstance(conn.out, Layers)
    layers = Layers(stack, Outbox(conn.out) if isinstance(conn.out, bytes) else conn.out)
    conn.site = opening
    conn.layers = conn.out = layers
    conn.pinned = True
    conn.read_deadline = None
    conn.eof = False  # it was the end of the clear text; the layer shall meet it
    if conn.journal is not None:
        conn.journal.sends(conn, 0)  # after a crash it is closed: a client that speaks TLS can't be told anything
    if layers.is_clear_sent:
        begin_opening(conn, layers, received)
    if conn.reads_left == NOT_SERVING:
        conn.site.unsent.append(conn)
    watch(conn)


def begin_opening(conn: Held, layers: Layers, received: bytes = b"") -> None:
    """Begin the handshake: all clear text has left."""
    conn.was_congested = False  # the handshake is read, whatever waits for its end
    layers.add(received)
    start_opening(conn, layers)
    conn.site.deadlines.watch(conn)
