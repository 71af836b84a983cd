"""Events of the master: its pools, their workers, and the connections on their way to them."""

from __future__ import annotations

import logging

from corepool.logs.event import event

# --- the pool


@event(logging.INFO)
def pool_stopping(*, workers: int, fast: bool) -> None:
    """Every worker is asked to leave; `fast`: without the time to finish."""


@event(logging.INFO)
def pool_stop_delayed(*, delay_s: float) -> None:
    """The pool was told to stop, and goes on serving for `shutdown_delay`, so that load balancers take it out first."""


@event(logging.INFO)
def pool_scaled(*, pool: str, workers: int) -> None:
    """The number of workers of a pool is set."""


@event(logging.INFO)
def pool_removed(*, pool: str) -> None:
    """The last worker of a pool that a reload has removed is gone."""


@event(logging.INFO)
def scaler_decided(*, pool: str, workers: int, was: int, busyness: float) -> None:
    """A scaler has decided on another number of workers."""


@event(logging.ERROR)
def scaler_failed(*, pool: str, scaler: str) -> None:
    """A scaler has raised an exception; the number of workers stays."""


@event(logging.INFO)
def signal_received(*, signal: str) -> None:
    """The master has received a signal."""


@event(logging.ERROR)
def order_refused(*, order: str, reason: object) -> None:
    """An order that came as a signal can't be carried out."""


@event(logging.ERROR)
def order_failed(*, signal: str) -> None:
    """An order that came as a signal has ended with an exception, such as one of a plugin."""


@event(logging.INFO)
def listener_paused(*, name: str) -> None:
    """New connections of a listener wait in the kernel's backlog."""


@event(logging.INFO)
def listener_resumed(*, name: str) -> None:
    """New connections of a listener are accepted again."""


@event(logging.ERROR)
def master_hook_failed(*, hook: str) -> None:
    """A hook of a plugin has raised an exception in the master."""


@event(logging.ERROR)
def master_failed() -> None:
    """A step of the master has raised an exception; the master goes on."""


@event(logging.WARNING)
def poll_failed(*, reason: object) -> None:
    """The master can't read its events from the kernel; it tries again."""


@event(logging.WARNING)
def watch_postponed(*, reason: object, retry_s: float) -> None:
    """The kernel has no room to watch another descriptor; the master tries again."""


@event(logging.WARNING)
def service_manager_not_notified(*, state: str, reason: object) -> None:
    """A notification can't be sent to the service manager."""


# --- files that transports read, such as certificates


@event(logging.INFO)
def transport_renewed(*, listener: str, url: str, state: int) -> None:
    """The files of a transport are right, and new ones go to the workers now; `state` is their number."""


@event(logging.ERROR)
def transport_not_renewed(*, listener: str, url: str, reason: str | None = None) -> None:
    """The files of a transport, such as a certificate and its key, can't be used.

    The old ones stay in use; they are read again until they are right.
    """


@event(logging.WARNING)
def certificate_expiry(*, listener: str, source: str, names: str, reason: str) -> None:
    """A certificate ends soon, has ended, or is not valid yet; said at the start, when one is read, and once a day."""


# --- reload and upgrade


@event(logging.INFO)
def reload_started(*, generation: int, workers: int) -> None:
    """The configuration was read again, and workers are replaced one after another."""


@event(logging.INFO)
def reload_done(*, generation: int) -> None:
    """Every pool serves with the new configuration."""


@event(logging.ERROR)
def reload_failed(
    *,
    kept: int,
    generation: int | None = None,
    file: str | None = None,
    line: int | None = None,
    reason: str | None = None,
) -> None:
    """A reload is over without effect; `kept`: the workers that serve on as they are; without `generation`, the
    configuration could not be read.
    """


@event(logging.ERROR)
def plugin_failed_at_reload(*, reason: str | None = None) -> None:
    """A plugin has raised an exception while the configuration was read again; nothing has changed."""


@event(logging.ERROR)
def socket_not_adopted(*, url: str) -> None:
    """A transport has raised an exception for a socket that stays open over a reload; the socket stays as it was."""


@event(logging.INFO)
def upgrade_started(*, pid: int) -> None:
    """A new master boots."""


@event(logging.INFO)
def upgrade_done(*, pid: int) -> None:
    """The new master serves; this one leaves."""


@event(logging.ERROR)
def upgrade_failed(*, reason: str) -> None:
    """The new master did not get ready; this one goes on."""


@event(logging.WARNING)
def old_master_not_read(*, reason: object) -> None:
    """The master can't receive from the old master; it tries again."""


@event(logging.WARNING)
def left_connection_closed(*, reason: object) -> None:
    """A connection that the old master has left can't be served."""


@event(logging.WARNING)
def new_master_not_read(*, reason: object) -> None:
    """The master can't receive from the new master; it tries again."""


@event(logging.WARNING)
def totals_not_taken_over(*, reason: object) -> None:
    """The counts of the old master can't be read, since its version describes them otherwise: they begin at 0."""


@event(logging.WARNING)
def totals_inexact() -> None:
    """The old master was killed while it added up the counts of a worker: the totals have some twice, or not at all."""


@event(logging.WARNING)
def totals_not_shared(*, reason: object) -> None:
    """The counters have no memory that a new master could read: after an upgrade they begin at 0."""


@event(logging.WARNING)
def shared_counts_begin_anew(*, reason: object) -> None:
    """The counts that workers share, such as those of `limits`, can't be taken over from the old master.

    They begin at 0, and each master has its own while the old one leaves.
    """


@event(logging.WARNING)
def shared_counts_end_here(*, reason: object) -> None:
    """The counts that workers share have no memory that a new master could use: after an upgrade they begin at 0."""


# --- workers


@event(logging.INFO)
def worker_ready(*, slot: str, pid: int, generation: int) -> None:
    """A worker has booted, and takes connections."""


@event(logging.INFO)
def worker_exited(*, slot: str, pid: int, cause: str, status: str, uptime_s: float) -> None:
    """A worker has ended as it was asked to."""


@event(logging.WARNING)
def worker_died(*, slot: str, pid: int, cause: str, status: str, uptime_s: float) -> None:
    """A worker has ended by itself, was killed, or has failed while it ended."""


@event(logging.INFO)
def worker_respawns(*, slot: str, delay_s: float) -> None:
    """A worker is forked in place of one that has ended, after a delay."""


@event(logging.ERROR)
def worker_boot_failed(*, slot: str, reason: str | None = None) -> None:
    """A worker could not boot."""


@event(logging.ERROR)
def worker_not_forked(*, slot: str, reason: object) -> None:
    """The system refuses to fork a worker; it is tried again later."""


@event(logging.ERROR)
def replacement_not_forked(*, slot: str, reason: object) -> None:
    """A worker stays, since the system refuses to fork its replacement."""


@event(logging.ERROR)
def replacement_boot_failed(*, slot: str, reason: str | None = None) -> None:
    """A worker stays, since its replacement could not boot."""


@event(logging.INFO)
def worker_recycled(*, slot: str, pid: int, reason: str) -> None:
    """A worker is replaced, since it has reached one of the limits of its pool."""


@event(logging.ERROR)
def worker_killed(*, slot: str, pid: int, reason: str) -> None:
    """A worker is killed."""


@event(logging.ERROR)
def worker_hung(*, slot: str, pid: int, reason: str) -> None:
    """A worker gives no sign of life; it writes its stacks to the log, and is killed."""


@event(logging.WARNING)
def worker_overdue(*, slot: str, pid: int) -> None:
    """A worker has not exited in time; it is killed."""


@event(logging.ERROR)
def worker_process_failed() -> None:
    """A worker process has ended with an exception."""


@event(logging.ERROR)
def worker_not_signalled(*, slot: str, pid: int) -> None:
    """The master lacks the capability KILL, and can't signal a worker; its channel is closed instead."""


@event(logging.WARNING)
def worker_not_read(*, slot: str, pid: int, reason: object) -> None:
    """The master can't receive from a worker; it tries again."""


@event(logging.WARNING)
def worker_order_lost(*, slot: str, pid: int, kind: str) -> None:
    """The channel to a worker is full; an order is not delivered."""


@event(logging.WARNING)
def worker_not_answered(*, slot: str, pid: int, reason: object) -> None:
    """The status that a worker has asked for can't be sent."""


# --- connections


@event(logging.WARNING)
def dispatcher_failed(*, dispatcher: str) -> None:
    """A dispatcher has raised an exception; the worker with the fewest connections is used."""


@event(logging.WARNING)
def bus_not_linked(*, reason: object) -> None:
    """Workers of the old and of the new master can't exchange messages of the bus now."""


@event(logging.INFO)
def handoffs_taken_back(*, slot: str, pid: int, count: int) -> None:
    """Connections that a dead worker had not taken go to others."""


@event(logging.WARNING)
def connections_rescued(*, slot: str, pid: int, count: int) -> None:
    """Connections of a worker that has crashed go on in others."""


@event(logging.ERROR)
def connections_lost(*, reason: str, slot: str | None = None, pid: int | None = None, count: int = 1) -> None:
    """Connections are closed that no worker can serve any more."""


@event(logging.ERROR)
def crashing_connection_closed(*, peer: object, crashes: int) -> None:
    """A connection was in progress during several crashes of workers; it is taken for their cause and closed."""


# --- the control socket


@event(logging.WARNING)
def control_socket_not_renamed(*, path: object, reason: str | None) -> None:
    """The control socket of a new master can't take its place; it stays at `path`."""


@event(logging.INFO)
def pool_not_listed(*, path: object, reason: object) -> None:
    """Commands find the pool by its control socket alone, since it can't be linked in the run-time folder."""


@event(logging.WARNING)
def control_socket_paused(*, reason: object, retry_s: float) -> None:
    """A client of the control socket can't be accepted; it waits."""


@event(logging.ERROR)
def control_command_failed(*, command: object) -> None:
    """A command of the control socket has ended with an exception."""
