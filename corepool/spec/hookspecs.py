"""Every hook, in the order of a pool's life. All are optional; an implementation may take fewer arguments.

Connection hooks that *ask* (`firstresult`) run the listener's extensions in the order of the
configuration, then its protocol; the first result other than None ends the chain, and so does a
connection that was closed on the way. Hooks that *tell* reach everyone.

An exception in a connection hook, SystemExit and CancelledError included, is logged with its traceback
and costs that connection. One in a worker's start ends the worker (boot failure); in any other hook it
is logged and goes no further.
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
"""Mark a method as the hook of its name: `@hookimpl`. A name that no hook has is refused at the start."""


# --- the pool starts ----------------------------------------------------------------------------


@hookspec
def on_start(pool: PoolInfo) -> None:
    """Tell plugins that the listeners are bound and the first worker is about to be forked.

    Runs in: master, once; for plugins that a reload brings, before the first worker that has them. Those of listeners
    of which nothing has changed stay over reloads, and what they have opened here with them.
    May: log, count. Must not: block, start threads (a fork would copy their locks), open what the workers use.
    If it raises: logged; the pool starts all the same.
    """


@hookspec
def on_worker_start(worker: Worker) -> None:
    """Tell plugins that a worker process begins: import the application, open the store.

    Runs in: worker, once, before it takes connections. `worker.loop` is there but does not run yet, so
    `worker.loop.run_until_complete(...)` is fine.
    If it raises: the worker ends with the traceback in the log; in the first generation the pool ends too.
    """


@hookspec
def on_ready(pool: PoolInfo) -> None:
    """Tell plugins that every worker of the first generation takes connections.

    Runs in: master, once.
    """


@hookspec
def on_reload(pool: PoolInfo) -> None:
    """Tell plugins that a reload has succeeded: every worker is of the new generation.

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
    """Serve bytes or the end of input that wait in `conn.recv()`.

    Runs in: worker, again and again while something waits (level-triggered): a hook that never reads is
    called for ever.
    After one that met `conn.eof` the connection is sent out and closed, unless `conn.half_open`.
    :returns: None to let the next plugin see it too; anything else ends the chain.
    """


@hookspec(firstresult=True)
def on_writable(conn: Connection) -> object | None:
    """Go on making output: what was buffered has fallen below half of `output_high_water`.

    Runs in: worker, once after each time that `conn.congested` was true.
    """


@hookspec(firstresult=True)
def on_timeout(conn: Connection, kind: TimeoutKind) -> object | None:
    """Decide about a connection whose deadline has passed.

    Runs in: worker.
    :param kind: idle, read (set with `conn.deadline`) or write.
    :returns: None to have it closed (aborted, for write); anything else keeps it, and the same deadline
        starts anew for idle and write.
    """


@hookspec
def on_close(conn: Connection, reason: CloseReason) -> None:
    """Tell plugins that a connection is gone: nothing can be sent or received any more.

    Runs in: worker, once per connection that the plugin has met. One that an extension refused in its `on_accept`
    was met by that extension and those before it: their `reason` is "refused", and nobody else is told.
    """


# --- from worker to worker ----------------------------------------------------------------------


@hookspec
def on_freeze(conn: Connection) -> bytes | None:
    """Say what another worker has to know to go on with a connection that is between requests.

    Runs in: worker, whenever it could let go of the connection: nothing that was sent waits any more, it is not
    `busy`, not paused, and the peer has not ended. If it goes, `on_close` is told with the reason "moved".
    :returns: what `on_thaw` is given, at most some kilobytes; b"" is fine. None: not now, for something has begun
        that can't be told.
    If a protocol, or an extension that hears of more than `on_accept`, does not implement it, the connections of its
    listeners are never moved. A plugin that changes what it writes changes its attribute `frozen_version` (1): a
    state of another version is refused, and that connection closed.
    """


@hookspec
def on_thaw(conn: Connection, state: bytes | None) -> None:
    """Go on with a connection that began in another worker, in place of `on_accept`.

    Runs in: worker, before any other hook of it. What the peer has sent meanwhile comes by `on_readable`.
    :param state: what `on_freeze` has returned; None to an extension that was not there, or had another version.
    If it raises ValueError: it can't go on with that; the connection is closed, and counted as refused.
    """


@hookspec(firstresult=True)
def on_lost(conn: Connection) -> object | None:
    """Say farewell to a client whose request was being served by a worker that has died; none of its reply has left.

    Runs in: another worker, for listeners with `keep_on_crash`. It is no session's: nothing was known of it but that it
    was busy. What is sent here is all that the client gets; then the connection is closed. No other hook is called.
    """


# --- drain and stop -----------------------------------------------------------------------------


@hookspec
def on_drain(conn: Connection) -> None:
    """Tell plugins that this worker is leaving: finish what is begun, say goodbye, close.

    Runs in: worker, once per open connection that is not moved to another worker. Idle connections are closed right
    after; busy ones when they are no longer, or at the drain deadline.
    """


@hookspec
def on_worker_stop(worker: Worker) -> None:
    """Tell plugins that a worker process ends: close what `on_worker_start` opened.

    Runs in: worker, once, after its last connection; not when the process is killed.
    May: block, for `stop_timeout` altogether; then the process is killed. 2 s when the pool stops at once.
    """


@hookspec
def on_child_exit(worker: WorkerInfo, exit: ExitStatus) -> None:  # noqa: A002
    """Tell plugins that a worker process has ended.

    Runs in: master, once per ended worker, after it was reaped and before its successor is forked.
    May: log, count. Must not: block, fork, start threads.
    :param worker: the slot, pid, generation and uptime of the worker that ended.
    :param exit: status or signal, and the cause.
    """


@hookspec
def on_signal(signum: int) -> None:
    """Tell plugins that a signal arrived, as an event of the loop: anything may be done here.

    Runs in: master and worker, each for the signals it got itself, before corepool acts on it.
    """


@hookspec
def on_stop(pool: PoolInfo) -> None:
    """Tell plugins that the pool has stopped: every worker is gone and every listener closed.

    Runs in: master, once; for plugins that a reload takes away, when the last worker is gone that has them.
    """
