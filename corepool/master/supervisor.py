"""Forking, watching, reaping and ending worker processes. Decides nothing: the master does."""

from __future__ import annotations

import logging
import os
import signal
from contextlib import ExitStack, closing
from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.errors import ChannelFullError, PeerGoneError
from corepool.files.descriptors import release
from corepool.ipc.channel import Channel
from corepool.ipc.messages import Drain, Message, Status, Stop
from corepool.ipc.scoreboard import Cell
from corepool.ipc.worker_spawn import WorkerSpawn
from corepool.logs.rate_limited import RateLimitedLog
from corepool.master import events
from corepool.master.forking import end_at_once, fork
from corepool.master.hearing import Hearing
from corepool.master.states import Event, State
from corepool.master.workers import HeldState, WorkerEntry
from corepool.spec.dispatcher import WorkerView
from corepool.spec.types import ExitCause, ExitStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from corepool.ipc.crash_slots import CrashSlots
    from corepool.ipc.scoreboard import Scoreboard
    from corepool.ipc.shapes import SocketIndex
    from corepool.ipc.shared_area import SharedArea
    from corepool.master.loop import Loop
    from corepool.master.oom import OomCounter
    from corepool.master.workers import Workers
    from corepool.plugins.listener import Configuration

log = logging.getLogger(__name__)

_DUMP_S = 1.0
"""How long a hung worker may take to write its stacks before it is killed."""

_OVERTIME_S = 1.0
"""How long past its own deadline a leaving worker may take to say that it has drained."""

_FAST_STOP_S = 2.0
"""How long a worker that was told to stop at once may take."""


class Supervisor:
    """The worker processes of one pool."""

    def __init__(
        self,
        pool: int,
        loop: Loop,
        workers: Workers,
        scoreboard: Scoreboard,
        crash_slots: CrashSlots,
        shared: SharedArea,
        oom: OomCounter,
        run_worker: Callable[[WorkerSpawn, Configuration], int],
        on_message: Callable[[WorkerEntry, Message, list[int]], None],
        on_exit: Callable[[WorkerEntry, ExitStatus], None],
        paused: Collection[str],
    ) -> None:
        """Prepare; nothing is forked yet.

        :param pool: the number that the processes have on the scoreboard.
        :param run_worker: called in a child, first thing after the fork; returns its exit status.
        :param on_message: told what workers say; owns the descriptors that come with it.
        :param on_exit: told of each process that was reaped, already out of the table.
        :param paused: listeners that are paused now, by name; looked at when a worker is forked.
        """
        self._pool = pool
        self._loop = loop
        self._workers = workers
        self._scoreboard = scoreboard
        self._run_worker = run_worker
        self._on_exit = on_exit
        self._paused = paused
        self._crash_slots = crash_slots
        self._shared = shared
        self._oom = oom
        self._rate_limited = RateLimitedLog(log)
        self.hearing = Hearing(loop, on_message, self.kill, self._set_deadline)

    def spawn(self, slot: int, generation: int, configuration: Configuration) -> WorkerEntry:
        """Fork a worker.

        :param configuration: for the worker. If it isn't ready within `boot_timeout`, it counts as hung.
        :raises OSError: EAGAIN, ENOMEM, EMFILE: the system has no process or descriptor to give.
        :raises RuntimeError: the scoreboard has no row left.
        """
        with ExitStack() as undo:  # the steps so far, if the system refuses the next
            ours, theirs = Channel.pair()
            undo.callback(ours.close)
            with closing(theirs):
                self._scoreboard.parts.update(configuration.parts)
                row = self._scoreboard.claim(self._pool)
                undo.callback(self._scoreboard.retire, row)
                spawn = WorkerSpawn(
                    slot,
                    generation,
                    self._workers.target,
                    os.getpid(),
                    theirs,
                    row,
                    self._scoreboard,
                    self._crash_slots,
                    self._shared,
                    frozenset(self._paused),
                )
                pid = fork(lambda: self._run_worker(spawn, configuration))
            undo.callback(end_at_once, pid)
            pidfd = os.pidfd_open(pid)
            undo.callback(release, pidfd)
            entry = WorkerEntry(
                slot=slot,
                pid=pid,
                generation=generation,
                configuration=configuration,
                pidfd=pidfd,
                channel=ours,
                row=row,
                view=WorkerView(slot, pid),
                started_at=self._loop.time(),
                states={
                    bound.index: HeldState(bound.renewal.number, bound.renewal.number) for bound in configuration.bound
                },
            )
            self._loop.watch(pidfd, EPOLLIN, lambda _: self.reap(entry))
            undo.callback(self._loop.unwatch, pidfd)
            self.hearing.watch(entry)
            undo.pop_all()
        self._workers.add(entry)
        entry.deadline = self._loop.call_later(
            configuration.pool.boot_timeout, lambda: self.kill_hung(entry, "not ready in time")
        )
        return entry

    def retire(self, entry: WorkerEntry, cause: ExitCause, timeout_s: float, lasting: Iterable[SocketIndex]) -> None:
        """Have a worker finish what it has begun, within `timeout_s`.

        :param lasting: the sockets whose idle connections it is to hand back, since other workers serve them.
        """
        if entry.state in (State.STOPPING, State.GONE):
            return
        entry.intended = entry.intended or cause
        was_starting, was_draining = entry.state is State.STARTING, entry.state is State.DRAINING
        entry.happened(Event.RETIRED)
        if was_starting:
            # It has nothing to finish, and reads no orders yet: TERM has its default effect while it boots.
            self._signal(entry, signal.SIGTERM)
        else:
            self._order(entry, Drain(frozenset(lasting)))
        if not was_draining:  # told again, it has no more time than before
            self._expect_exit(entry, timeout_s + _OVERTIME_S)

    def note_leaving(self, entry: WorkerEntry, timeout_s: float) -> None:
        """Note that a worker drains; without an order of ours, it has failed, or an operator has sent it a TERM."""
        if entry.state is State.READY:
            if not entry.has_failed:
                entry.intended = entry.intended or ExitCause.ASKED
            self._expect_exit(entry, timeout_s + _OVERTIME_S)
        entry.happened(Event.LEFT)

    def note_drained(self, entry: WorkerEntry) -> None:
        """Note that only a worker's plugins are left to end; one that has to stop at once gets no more time."""
        entry.has_drained = True
        if entry.state is State.DRAINING:
            self._expect_exit(entry, entry.configuration.pool.stop_timeout)

    def stop(self, entry: WorkerEntry, cause: ExitCause) -> None:
        """Have a worker end at once."""
        was_starting = entry.state is State.STARTING
        entry.intended = entry.intended or cause
        entry.happened(Event.KILLED)
        if was_starting:
            self._signal(entry, signal.SIGTERM)
        else:
            self._order(entry, Stop())
        self._expect_exit(entry, _FAST_STOP_S)

    def kill(self, entry: WorkerEntry, cause: ExitCause) -> None:
        """End a worker by SIGKILL, now."""
        entry.intended = entry.intended or cause
        entry.happened(Event.KILLED)
        self._signal(entry, signal.SIGKILL)

    def kill_faulty(self, entry: WorkerEntry, what: str) -> None:
        """End one worker, so that the others serve on."""
        if entry.state is not State.GONE:
            events.worker_killed(log, slot=entry.name, pid=entry.pid, reason=f"its counters are wrong: {what}")
            self.kill(entry, ExitCause.CRASH)

    def kill_hung(self, entry: WorkerEntry, reason: str) -> None:
        """Have a hung worker write its stacks to the log, then kill it."""
        if entry.state in (State.STOPPING, State.GONE):
            return
        events.worker_hung(log, slot=entry.name, pid=entry.pid, reason=reason)
        entry.intended = ExitCause.HUNG
        entry.happened(Event.KILLED)
        # faulthandler answers ABRT from C, even while the interpreter is stuck; a stopped process can't.
        self._signal(entry, signal.SIGABRT)
        self._set_deadline(entry, _DUMP_S, lambda: self.kill(entry, ExitCause.HUNG))

    def check_heartbeats(self, timeout_s: float) -> None:
        """Find the workers whose loop has not turned for `timeout_s`."""
        now_ns = int(self._loop.time() * 1e9)
        for entry in self._workers:
            if entry.state not in (State.READY, State.DRAINING) or not entry.was_ready or entry.has_drained:
                continue
            silent_s = (now_ns - entry.row.cells[Cell.HEARTBEAT_NS]) / 1e9
            if silent_s > timeout_s:
                self.kill_hung(entry, f"no heartbeat for {silent_s:.1f} s")

    def reap(self, entry: WorkerEntry) -> None:
        """Reap a worker that has ended; one that hasn't is left alone."""
        if entry.status is None:  # else it was reaped, but its last words could not be heard then
            try:
                pid, status = os.waitpid(entry.pid, os.WNOHANG)
            except ChildProcessError:
                pid, status = entry.pid, 0  # other code in this process reaped it; its status is lost
            if pid == 0:
                return
            entry.status = status
        # Before its last words are read: they may be connections, for which there may be no room.
        self.hearing.ignore(entry)
        try:
            self.hearing.hear_out(entry)
        except OSError as error:  # the pidfd stays ready
            self._loop.rest(entry.pidfd, EPOLLIN)
            events.worker_not_read(self._rate_limited, slot=entry.name, pid=entry.pid, reason=error)
            return
        if entry.deadline is not None:
            entry.deadline.cancel()
        self._loop.unwatch(entry.pidfd)
        release(entry.pidfd)
        entry.channel.close()
        self._workers.remove(entry)
        # It may have died before it counted what it has handed back, and would seem to have held that until its end.
        cells = entry.row.cells
        cells[Cell.MOVED_OUT] = max(cells[Cell.MOVED_OUT], cells[Cell.TAKEN_BACK])
        code = os.waitstatus_to_exitcode(entry.status)
        cause = entry.cause(code, out_of_memory=self._oom.has_grown() and code == -signal.SIGKILL)
        entry.happened(Event.EXITED)
        exit_status = ExitStatus(cause, code=code) if code >= 0 else ExitStatus(cause, signum=-code)
        try:
            self._on_exit(entry, exit_status)
        finally:
            self._scoreboard.retire(entry.row)
            self._shared.leave(entry.pid)

    def forward(self, signum: int) -> None:
        """Send a signal to every worker that handles it: one that boots handles USR1 only."""
        for entry in self._workers:
            if entry.was_ready or signum == signal.SIGUSR1:
                self._signal(entry, signum)

    def tell(self, entry: WorkerEntry, message: Message) -> None:
        """Send an order that matters less than the worker: one whose channel is full doesn't get it."""
        try:
            entry.channel.send(message)
        except ChannelFullError:
            events.worker_order_lost(self._rate_limited, slot=entry.name, pid=entry.pid, kind=_kind(message))
        except PeerGoneError:
            pass  # it is dead already; its pidfd tells

    def send_status(self, entry: WorkerEntry, status: bytes) -> None:
        """Answer `AskStatus`, in memory that the worker reads; the answer is lost if the channel is full."""
        try:
            with os.fdopen(os.memfd_create("status"), "wb") as file:
                file.write(status)
                file.seek(0)
                entry.channel.send(Status(), [file.fileno()])
        except (ChannelFullError, PeerGoneError):
            pass
        except OSError as error:  # out of descriptors or memory
            events.worker_not_answered(self._rate_limited, slot=entry.name, pid=entry.pid, reason=error)

    def _order(self, entry: WorkerEntry, message: Message) -> None:
        try:
            entry.channel.send(message)
        except ChannelFullError:
            # Its loop is stuck with a full channel. TERM means drain and goes another way.
            self._signal(entry, signal.SIGTERM)
        except PeerGoneError:
            pass  # it is dead already; its pidfd tells

    def _signal(self, entry: WorkerEntry, signum: int) -> None:
        try:
            signal.pidfd_send_signal(entry.pidfd, signum)
        except ProcessLookupError:
            pass  # it has ended meanwhile; its pidfd tells
        except PermissionError:
            events.worker_not_signalled(log, slot=entry.name, pid=entry.pid)
            entry.channel.hang_up()  # as if the master were gone: a worker whose loop turns leaves then

    def _expect_exit(self, entry: WorkerEntry, timeout_s: float) -> None:
        def on_deadline() -> None:
            events.worker_overdue(log, slot=entry.name, pid=entry.pid)
            self.kill(entry, ExitCause.STOPPED)

        self._set_deadline(entry, timeout_s, on_deadline)

    def _set_deadline(self, entry: WorkerEntry, timeout_s: float, call: Callable[[], None]) -> None:
        if entry.deadline is not None:
            entry.deadline.cancel()
        entry.deadline = self._loop.call_later(timeout_s, call)


def _kind(message: Message) -> str:
    return type(message).__name__
