"""Events of a worker and its connections."""

from __future__ import annotations

import logging

from corepool.logs.event import event

# --- the worker


@event(logging.ERROR)
def worker_failed(*, worker: str, reason: str | None = None) -> None:
    """A plugin has reported a failure that the worker can't go on with; it drains, and is replaced."""


@event(logging.ERROR)
def state_not_taken(*, worker: str, listener: str, url: str) -> None:
    """A transport can't serve with what the master has read anew of its files; this worker serves as before."""


@event(logging.ERROR)
def worker_orphaned(*, worker: str) -> None:
    """The master is gone; the worker leaves."""


@event(logging.ERROR)
def worker_hook_failed(*, hook: str) -> None:
    """A hook of the worker has raised an exception."""


@event(logging.WARNING)
def tasks_abandoned(*, tasks: int) -> None:
    """The worker ends, and tasks of plugins refuse to be cancelled; they end with the worker."""


@event(logging.WARNING)
def loop_stop_ignored() -> None:
    """A plugin or an application has called loop.stop(); the worker goes on."""


@event(logging.ERROR)
def loop_failed() -> None:
    """The event loop has raised an exception; it goes on."""


@event(logging.ERROR)
def callback_failed(*, kind: str) -> None:
    """A task or a callback has raised an exception that asyncio lets out of the loop; the worker goes on."""


@event(logging.ERROR)
def drain_failed() -> None:
    """A step of the drain has raised an exception; the drain goes on."""


@event(logging.ERROR)
def moves_failed() -> None:
    """Connections can't be moved to another worker, because of an exception; they drain where they are."""


@event(logging.WARNING)
def drain_timed_out(*, connections: int) -> None:
    """The time to drain is over; busy connections are closed."""


@event(logging.ERROR)
def handoffs_not_received(*, received: int, sent: int) -> None:
    """The worker is out of descriptors, and drains; connections that it can't receive go to others."""


@event(logging.WARNING)
def master_not_read(*, reason: object) -> None:
    """The worker can't receive from the master; it tries again."""


@event(logging.ERROR)
def master_message_failed() -> None:
    """A message of the master has ended with an exception."""


# --- connections


@event(logging.ERROR)
def hook_failed(*, listener: str, conn: int, peer: object) -> None:
    """A hook of a plugin has raised an exception for a connection, which is closed."""


@event(logging.WARNING)
def input_never_read(*, listener: str, calls: int) -> None:
    """A protocol's `on_readable` is called again and again, and reads nothing.

    It has to call `conn.recv()` or `conn.pause()`, or it is called for ever.
    """


@event(logging.WARNING)
def connection_not_begun(*, listener: str, reason: object) -> None:
    """A connection can't be served: its client has gone already, or the kernel has no room to watch it."""


@event(logging.ERROR)
def connection_failed_at_begin(*, listener: str) -> None:
    """A transport has raised an exception for a new connection, which is closed."""


@event(logging.WARNING)
def connection_not_restored(*, listener: str, reason: object) -> None:
    """A connection of another worker can't be restored, and is closed."""


@event(logging.ERROR)
def connection_failed_at_restore(*, listener: str) -> None:
    """An exception was raised for a connection of another worker, which is closed."""


@event(logging.WARNING)
def connection_refused(*, listener: str, peer: object, reason: object) -> None:
    """A plugin refuses to go on with a connection of another worker, which is closed."""


@event(logging.WARNING)
def connection_not_moved(*, conn: int, reason: object) -> None:
    """The state of a connection can't be sent to another worker; the connection stays."""


@event(logging.WARNING)
def connection_not_watched(*, listener: str, peer: object, reason: object) -> None:
    """The kernel has no room to watch a connection, which is closed."""


@event(logging.WARNING)
def output_limit_exceeded(*, listener: str, conn: int, peer: object, buffered: int, limit: int) -> None:
    """The client does not take its output; the connection is aborted."""


@event(logging.INFO)
def handshake_failed(*, listener: str, peer: object, reason: str, detail: str | None) -> None:
    """TLS, or another layer, has not opened for a client: its fault, or that of the listener's certificates or options.

    The reasons are those of `corepool_listener_handshake_failures_total` in /metrics.
    """


@event(logging.WARNING)
def layer_refused(*, listener: str, peer: object, reason: object) -> None:
    """A layer of the transport can't go on with the bytes of a client, whose connection is closed."""


@event(logging.ERROR)
def layer_failed(*, listener: str, peer: object) -> None:
    """A layer of the transport has raised an exception; the connection is closed."""


@event(logging.WARNING)
def proxy_header_refused(*, listener: str, peer: object, reason: object) -> None:
    """A peer of `accept_proxy` has not sent the PROXY header that its connections begin with; this one is closed."""


@event(logging.WARNING)
def connection_unmatched(*, listener: str, conn: int, peer: object, reason: str, first_bytes: str) -> None:
    """No protocol of the listener has recognised a connection, and it has no default; it is closed."""


@event(logging.ERROR)
def address_failed(*, listener: str) -> None:
    """A transport has raised an exception for an address of a connection."""


@event(logging.ERROR)
def linger_failed() -> None:
    """A connection that waits for the end of its client has raised an exception, and is closed."""


# --- the bus


@event(logging.ERROR)
def bus_listener_failed(*, topic: str) -> None:
    """A function that listens to the bus has raised an exception; it goes on listening."""


@event(logging.ERROR)
def bus_failed() -> None:
    """A step of the bus has raised an exception; the bus goes on."""


@event(logging.ERROR)
def bus_garbage(*, reason: object) -> None:
    """A packet in the mailbox of the bus is none; something in another worker has written to a wrong descriptor."""


@event(logging.WARNING)
def bus_message_not_sent(*, size: int, reason: object) -> None:
    """A large message of the bus can't be sent, for a lack of descriptors or memory; its subscribers are told."""


@event(logging.WARNING)
def bus_message_not_received(*, reason: object) -> None:
    """A message of the bus can't be received, for a lack of descriptors or memory; its subscribers are told."""


@event(logging.WARNING)
def bus_peers_not_received(*, received: int, sent: int) -> None:
    """The worker is out of descriptors; its messages on the bus don't reach some others, for which it asks again."""


@event(logging.WARNING)
def bus_peer_not_known(*, reason: object) -> None:
    """Another worker can't be reached by the bus: it is of another version, or there is no memory."""
