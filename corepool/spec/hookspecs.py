"""Every hook, in the order of a pool's life. All are optional; an implementation may take fewer arguments.

Connection hooks that *ask* (`firstresult`) run the listener's extensions in the order of the
configuration, then its protocol; the first result other than None ends the chain, and so does closing
the connection. Hooks that *tell* reach everyone.

An exception of any class in a connection hook, SystemExit and KeyboardInterrupt included, is logged with its
traceback and costs that connection. One in a worker's start ends the worker (boot failure); in any other hook, and in
tasks and callbacks of the worker's loop, it is logged and goes no further.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from corepool.spec.connection import Connection
    from corepool.spec.types import CloseReason, ExitStatus, PoolInfo, TimeoutKind, WorkerInfo
    from corepool.spec.worker import Worker

PROJECT = "corepool"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Mark a method as an implementation of the hook of that name: `@hookimpl`. Unknown names are refused at start."""


# --- the pool starts ----------------------------------------------------------------------------


@hookspec
def on_start(pool: PoolInfo) -> None:
    """Called when the listeners are bound and the first worker is about to be forked.

    Runs in: master, once; for plugins that a reload brings in, before the first worker that has them. If nothing about
    a listener has changed, a reload keeps its plugins, with everything that they have opened here.
    May: log, count. Must not: block, start threads (a fork would copy their locks), open resources for the workers.
    If it raises: logged; the pool starts all the same.
    """


@hookspec
def on_worker_start(worker: Worker) -> None:
    """Called when a worker process is starting: import the application, open the store.

    Runs in: worker, once, before it takes connections. `worker.loop` is there but does not run yet, so
    `worker.loop.run_until_complete(...)` is fine.
    If it raises: the worker ends with the traceback in the log; in the first generation the pool ends too.
    """


@hookspec
def on_ready(pool: PoolInfo) -> None:
    """Called when every worker of the first generation takes connections.

    Runs in: master, once.
    """


@hookspec
def on_reload(pool: PoolInfo) -> None:
    """Called when a reload has succeeded: every worker is of the new generation.

    Runs in: master, after each reload.
    """


# --- a connection -------------------------------------------------------------------------------


@hookspec(firstresult=True)
def on_accept(conn: Connection) -> object | None:
    """Greet a connection, or refuse it: set `conn.session`, send, or `conn.close()`.

    Runs in: worker, once per connection, before any other hook of it.
    :returns: None to let the next plugin see it too; anything else ends the chain.
    """


@hookspec(firstresult=True)
def on_readable(conn: Connection) -> object | None:
    """Serve the input that waits in `conn.recv()`: bytes, or the end.

    Runs in: worker, again and again while something waits (level-triggered): a hook that never reads is
    called for ever.
    After a call that met `conn.eof`, buffered output is sent and the connection closed, unless `conn.half_open`.
    :returns: None to let the next plugin see it too; anything else ends the chain.
    """


@hookspec(firstresult=True)
def on_writable(conn: Connection) -> object | None:
    """Go on making output: the buffer has fallen to half of `output_high_water`, or to the `low` of `watermarks`.

    Runs in: worker, once after each time that `conn.congested` was true.
    """


@hookspec(firstresult=True)
def on_timeout(conn: Connection, kind: TimeoutKind) -> object | None:
    """Decide about a connection whose deadline has passed.

    Runs in: worker.
    :param kind: idle, read (set with `conn.deadline`) or write.
    :returns: None to have it closed (aborted, for write); anything else keeps it, and restarts the deadline
        if it was idle or write.
    """


@hookspec(firstresult=True)
def on_tls(conn: Connection) -> object | None:
    """Go on with a connection on which TLS, begun by `conn.start_tls`, is open: `conn.facts` has its facts.

    Runs in: worker, once after each `start_tls` whose handshake has succeeded. If it fails, `on_close` is called, with
    the reason "layer", "timeout", "reset" or "eof". Not called for transports that speak TLS from the first byte: their
    connections begin, with `on_accept`, when TLS is open.
    :returns: None to let the next plugin see it too; anything else ends the chain.
    """


@hookspec
def on_close(conn: Connection, reason: CloseReason) -> None:
    """Called when a connection is gone: nothing can be sent or received any more.

    Runs in: worker, once per connection that the plugin has met. A connection that an extension refused in `on_accept`
    was met by that extension and those before it: this is called for them, with "refused", and for no other plugin.
    """


# --- from worker to worker ----------------------------------------------------------------------


@hookspec
def on_freeze(conn: Connection) -> bytes | None:
    """Return the state that another worker needs to go on with a connection that is between requests.

    Runs in: worker, whenever it could let go of the connection: all output has left, it is not `busy`, not paused, and
    the peer has not ended. If the connection moves, `on_close` is called with the reason "moved".
    :returns: the state for `on_thaw`, a few kilobytes at most; b"" is fine. None: not now, since something has begun
        that can't be handed on.
    If a protocol, or an extension with hooks beyond `on_accept`, does not implement it, the connections of its
    listeners are never moved. A plugin that changes the format of its state also changes its attribute
    `frozen_version` (1): a protocol's state of another version is refused, and the connection closed.
    """


@hookspec
def on_thaw(conn: Connection, state: bytes | None) -> None:
    """Go on with a connection that began in another worker, in place of `on_accept`.

    Runs in: worker, before any other hook of it. Bytes that the peer has sent meanwhile arrive through `on_readable`.
    :param state: the state that `on_freeze` returned; None for an extension that was not there, or had another version.
    If it raises ValueError: it can't go on from that state; the connection is closed, and counted as refused.
    """


@hookspec
def on_message(worker: Worker, topic: bytes, data: bytes) -> None:
    """Take a message that a worker has published on the bus.

    Runs in: worker, once for each message on a topic that `worker.subscribe` was called for, by this plugin or another
    one: look at the topic. An exception is logged.
    :param topic: bytes, also if it was text: `b"news.sport"`.
    """


@hookspec(firstresult=True)
def on_lost(conn: Connection) -> object | None:
    """Send an error to a client whose worker died while serving its request, with nothing of the reply sent yet.

    Runs in: another worker, for listeners with `keep_on_crash`. There is no session: the only thing known about the
    connection is that it was busy. The client gets only the bytes sent here; then the connection is closed. No other
    hook is called.
    """


# --- drain and stop -----------------------------------------------------------------------------


@hookspec
def on_drain(conn: Connection) -> None:
    """Called when this worker is leaving: finish the request that has begun, send a last message, close.

    Runs in: worker, once per open connection that is not moved to another worker. Idle connections are closed right
    after; busy ones when they are no longer busy, or at the drain deadline. For a connection that its protocol meets
    while the worker is leaving, it is called right after `on_accept`.
    """


@hookspec
def on_worker_stop(worker: Worker) -> None:
    """Called when a worker process ends: close what `on_worker_start` opened.

    Runs in: worker, once, after its last connection; not when the process is killed.
    May: block, for `stop_timeout` in all (2 s when the pool stops at once); then the process is killed.
    """


@hookspec
def on_child_exit(worker: WorkerInfo, exit: ExitStatus) -> None:  # noqa: A002
    """Called when a worker process has ended.

    Runs in: master, once per ended worker, after it was reaped and before its replacement is forked.
    May: log, count. Must not: block, fork, start threads.
    :param worker: the slot, pid, generation and uptime of the worker that ended.
    :param exit: status or signal, and the cause.
    """


@hookspec
def on_signal(signum: int) -> None:
    """Called when a signal has arrived, as an event of the loop: anything may be done here.

    Runs in: master and worker, each for the signals it got itself, before corepool acts on it. A worker that runs
    `on_worker_stop`, or has run it, calls this no more.
    """


@hookspec
def on_stop(pool: PoolInfo) -> None:
    """Called when the pool has stopped: every worker is gone and every listener closed.

    Runs in: master, once; for plugins that a reload takes away, when the last worker that has them is gone.
    """
