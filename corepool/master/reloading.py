"""A reload is carried out: every pool rolls to the configuration that was read again; it takes effect in all or none.

A worker serves until its replacement is ready. The first replacement that can't start ends the reload, and those that
were not replaced yet go on. A reload during a reload begins anew.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, NoReturn

from corepool.errors import ConfigError, ReloadError
from corepool.guards import HOOK_ERRORS
from corepool.logs.tracebacks import last_words, spelled_place
from corepool.master import events
from corepool.master.reload import Reload, ReloadFailure
from corepool.master.renewing import look
from corepool.master.roll import RollState
from corepool.master.status import ReloadStatus
from corepool.plugins.listener import sockets_of, without
from corepool.system.title import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from corepool.master.notify import ServiceManager
    from corepool.master.owner import Failure
    from corepool.master.pools import Pools
    from corepool.plugins.listener import BoundSocket, Configuration

log = logging.getLogger(__name__)


class Reloading:
    """Does as `Reload` notes: reads, has every pool roll, then commits or abandons all of them."""

    def __init__(
        self,
        pools: Pools,
        read_again: Callable[[Sequence[BoundSocket]], list[Configuration]],
        service_manager: ServiceManager,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Begin with no reload.

        :param read_again: returns the configuration to reload, which takes over the open sockets that it still wants;
            raises ConfigError, and nothing has changed then.
        :param clock: returns the seconds since the epoch.
        """
        self._pools = pools
        self._read_again = read_again
        self._service_manager = service_manager
        self._clock = clock
        self._reload = Reload(clock())

    @property
    def is_running(self) -> bool:
        """True until the reload under way has taken effect or failed."""
        return self._reload.is_running

    @property
    def generation(self) -> int:
        """How many reloads have begun."""
        return self._reload.generation

    def status(self) -> ReloadStatus:
        """Describe the reload under way, and how the last ones have ended."""
        failure = self._reload.failure
        return ReloadStatus(
            state=self._reload.state.value,
            generation=self.generation,
            left=self._left,
            error=self._reload.error,
            done_at=self._reload.done_at,
            failure=None if failure is None else failure.tell(),
        )

    def begin(self) -> None:
        """Read the configuration again, and have every pool roll to it.

        :raises ReloadError: the configuration has mistakes, which were logged; nothing has changed.
        """
        open_already = self.every_socket()
        try:
            configurations = self._read_again(open_already)
        except ConfigError as error:
            for each in error.tracebacks:
                events.plugin_failed_at_reload.report(log, each)
            self._refuse(error, *error.first_place())
        except OSError as error:  # out of descriptors, say: something could not even be looked at
            self._refuse(error, "", 0)
        pools = self._pools
        for bound in without(open_already, pools.sockets(), sockets_of(configurations)):
            bound.close()  # only the reload that this one overtakes wanted it
        pools.dismiss_arriving()
        coming = {each.name: each for each in configurations}
        self._reload.begin(coming)
        events.reload_started(log, generation=self.generation, workers=pools.workers)
        self._service_manager.reloading()
        for name, pool in pools.serving.items():
            if name not in coming:
                pool.rolling.abandon()  # it may roll for the reload that this one overtakes
        # All at once, before the first is asked to begin: one that fails at once ends the reload for all.
        rolling = [(pool, coming[name]) for name, pool in pools.serving.items() if name in coming]
        brought = [each for each in configurations if each.name not in pools.serving]
        pools.arriving = pools.make(brought, self.generation)
        for arriving in pools.arriving.values():
            arriving.plugins.start(arriving.serving)
            arriving.start()  # and not `open`: its sockets may still be another pool's
        for pool, configuration in rolling:
            if self.is_running:
                pool.rolling.begin(self.generation, configuration)

    def commit_if_ready(self) -> None:
        """Take effect once every pool is ready for it."""
        pools = self._pools
        if not self.is_running:
            return
        rolling = [pool for name, pool in pools.serving.items() if name in self._reload.coming]
        rolled = all(pool.rolling.state is RollState.COMMITTING for pool in rolling)
        if not rolled or not all(pool.is_ready for pool in pools.arriving.values()):
            return
        self._commit(self._reload.done(self._clock()))
        events.reload_done(log, generation=self.generation)
        self._service_manager.ready(count(pools.wanted, "worker"))
        for each in pools.serving.values():
            each.plugins.call("on_reload", each.plugins.info())

    def fail(self, failure: Failure) -> None:
        """End it for all pools; those workers that were not replaced yet go on."""
        if not self.is_running:
            return
        place = spelled_place(failure.report)
        reason = f"worker {failure.worker} {failure.what}: {last_words(failure.report)}"
        noted = ReloadFailure(self._clock(), reason, *place, self._kept)
        self._abandon(self._reload.fail(noted, str(failure)))
        events.reload_failed.report(
            log,
            str(failure),
            generation=self.generation,
            kept=noted.kept,
            file=noted.file or None,
            line=noted.line or None,
        )
        self._service_manager.ready(f"{count(self._pools.wanted, 'worker')}; the last reload has failed")

    def give_up(self) -> None:
        """End it, since all pools stop."""
        if not self.is_running:
            return
        reason = "the pool was told to stop"
        coming = self._reload.fail(ReloadFailure(self._clock(), reason, "", 0, self._kept), reason)
        for bound in without(sockets_of(coming.values()), self._pools.sockets()):
            bound.close()

    def lasting_sockets(self) -> list[BoundSocket]:
        """List the sockets that will be served when it is over."""
        return sockets_of(self._reload.coming.values()) if self.is_running else self._pools.sockets()

    def every_socket(self) -> list[BoundSocket]:
        """List the sockets that are served, and those that it has opened."""
        serving = self._pools.sockets()
        return [*serving, *without(sockets_of(self._reload.coming.values()), serving)]

    @property
    def _left(self) -> int:
        """How many workers wait for their replacements."""
        if not self.is_running:
            return 0
        arriving = sum(pool.workers.target for pool in self._pools.arriving.values() if not pool.is_ready)
        return arriving + sum(pool.rolling.left for pool in self._pools.serving.values())

    @property
    def _kept(self) -> int:
        """How many workers serve on as they are if it fails now."""
        return sum(pool.rolling.kept for pool in self._pools.serving.values())

    def _refuse(self, error: ConfigError | OSError, file: str, line: int) -> NoReturn:
        """Note that the configuration can't be read.

        :raises ReloadError: always.
        """
        _offer_again(self.lasting_sockets())
        message = f"nothing was changed: {error}"
        reason = "; ".join(str(error).splitlines())
        noted = ReloadFailure(self._clock(), reason, file, line, self._kept)
        self._reload.unreadable(noted, message)
        events.reload_failed(log, kept=noted.kept, file=file or None, line=line or None, reason=reason)
        raise ReloadError(message) from None

    def _commit(self, coming: dict[str, Configuration]) -> None:
        """Serve what the workers were reloaded with."""
        pools = self._pools
        old = pools.sockets()
        leaving = [pool for name, pool in pools.serving.items() if name not in coming]
        # Each step for all before the next: a socket may change its pool.
        for pool in pools.serving.values():
            pool.acceptors.use(())
        pools.serving = {name: pools.serving.get(name) or pools.arriving[name] for name in coming}
        pools.arriving = {}
        for name, pool in pools.serving.items():
            pool.commit(coming[name])
        _adopt_changed(old, pools.sockets())
        for bound in without(old, pools.sockets()):
            bound.close()
        for pool in pools.serving.values():
            pool.acceptors.use(pool.serving.bound)
        for pool in pools.serving.values():
            pool.dispatch.retry()
        pools.dismiss(leaving, fast=False)

    def _abandon(self, coming: dict[str, Configuration]) -> None:
        """Forget what it would have led to."""
        self._pools.dismiss_arriving()
        for pool in self._pools.serving.values():
            pool.rolling.abandon()
        for bound in without(sockets_of(coming.values()), self._pools.sockets()):
            bound.close()
        _offer_again(self._pools.sockets())


def _offer_again(sockets: Iterable[BoundSocket]) -> None:
    """Have transports agree on what their listeners have in ALPN: a reload that was refused has changed it."""
    for bound in sockets:
        try:
            bound.transport.offer(bound.listener.alpn)
        except HOOK_ERRORS as error:
            events.transport_not_renewed.exception(log, error, listener=bound.listener.name, url=bound.url)
        look(bound)


def _adopt_changed(old: Sequence[BoundSocket], new: Sequence[BoundSocket]) -> None:
    """Make sockets what their URLs say now, where these have changed on the same address."""
    before = {id(bound.socket): bound.transport for bound in old}
    for bound in new:
        if before.get(id(bound.socket), bound.transport) is not bound.transport:
            try:
                bound.transport.adopt(bound.endpoint, bound.socket)
            except HOOK_ERRORS as error:
                events.socket_not_adopted.exception(log, error, url=bound.url)
