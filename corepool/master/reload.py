"""Reload: every pool rolls to the configuration that was read again; then it takes effect in all of them, or in none.

A worker serves until its replacement is ready. The first replacement that can't start ends the reload, and those that
were not replaced yet go on. A reload during a reload begins anew.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from corepool.errors import ConfigError, ControlError
from corepool.guards import HOOK_ERRORS
from corepool.master import events
from corepool.master.status import ReloadStatus
from corepool.plugins.listener import sockets_of, without
from corepool.system.title import count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corepool.master.notify import ServiceManager
    from corepool.master.owner import Member
    from corepool.master.pools import Pools
    from corepool.plugins.listener import BoundSocket, Configuration

log = logging.getLogger(__name__)


class Reload:
    """The reload under way, or how the last one has ended."""

    def __init__(
        self,
        pools: Pools,
        read_again: Callable[[Sequence[BoundSocket]], list[Configuration]],
        service_manager: ServiceManager,
    ) -> None:
        """Begin with none.

        :param read_again: returns the configuration to reload, which takes over the open sockets that it still wants;
            raises ConfigError, and nothing has changed then.
        """
        self._pools = pools
        self._read_again = read_again
        self._service_manager = service_manager
        self._coming: dict[str, Configuration] | None = None
        """The coming configurations, by the names of the pools."""
        self._rolled: set[str] = set()
        """The pools that are ready for it."""
        self._state: Literal["none", "running", "done", "failed"] = "none"
        self._error = ""
        self.generation = 0
        """How many reloads have begun."""

    @property
    def is_running(self) -> bool:
        """True until it has taken effect or failed."""
        return self._coming is not None

    def status(self) -> ReloadStatus:
        """Describe it."""
        return ReloadStatus(state=self._state, generation=self.generation, left=self._left, error=self._error)

    def begin(self) -> None:
        """Read the configuration again, and have every pool roll to it.

        :raises ControlError: the configuration has mistakes; nothing has changed.
        """
        open_already = self.every_socket()
        try:
            configurations = self._read_again(open_already)
        except ConfigError as error:
            for each in error.tracebacks:
                events.plugin_failed_at_reload.report(log, each)
            raise ControlError(f"nothing was changed: {error}") from None
        except OSError as error:  # out of descriptors, say: something could not even be looked at
            raise ControlError(f"nothing was changed: {error}") from None
        pools = self._pools
        for bound in without(open_already, pools.sockets(), sockets_of(configurations)):
            bound.close()  # only the reload that this one overtakes wanted it
        self.generation += 1
        pools.dismiss_arriving()
        coming = self._coming = {each.name: each for each in configurations}
        self._rolled = {name for name in pools.serving if name not in coming}
        self._state, self._error = "running", ""
        events.reload_started(log, generation=self.generation, workers=pools.workers)
        self._service_manager.reloading()
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

    def rolled(self, pool: Member) -> None:
        """Take effect once every pool is ready for it."""
        self._rolled.add(pool.name)
        if self._coming is None or not self._rolled >= {*self._coming, *self._pools.serving}:
            return
        self._commit(self._coming)
        self._state = "done"
        events.reload_done(log, generation=self.generation)
        self._service_manager.ready(count(self._pools.wanted, "worker"))
        for each in self._pools.serving.values():
            each.plugins.call("on_reload", each.plugins.info())

    def fail(self, error: str) -> None:
        """End it for all pools; those workers that were not replaced yet go on."""
        if self._coming is None:
            return
        kept = self._left + 1
        self._state, self._error = "failed", error
        self._abandon(self._coming)
        events.reload_failed.report(log, error, generation=self.generation, kept=kept)
        self._service_manager.ready(f"{count(self._pools.wanted, 'worker')}; the last reload has failed")

    def give_up(self) -> None:
        """End it, since all pools stop."""
        if self._coming is None:
            return
        self._state, self._error = "failed", "the pool was told to stop"
        for bound in without(self.every_socket(), self._pools.sockets()):
            bound.close()
        self._coming = None

    def lasting_sockets(self) -> list[BoundSocket]:
        """List the sockets that will be served when it is over."""
        return self._pools.sockets() if self._coming is None else sockets_of(self._coming.values())

    def every_socket(self) -> list[BoundSocket]:
        """List the sockets that are served, and those that it has opened."""
        serving = self._pools.sockets()
        return [*serving, *without(sockets_of((self._coming or {}).values()), serving)]

    @property
    def _left(self) -> int:
        """How many workers wait for their replacements."""
        if not self.is_running:
            return 0
        return sum(pool.rolling.left if pool.is_ready else pool.workers.target for pool in self._pools)

    def _commit(self, coming: dict[str, Configuration]) -> None:
        """Serve what the workers were reloaded with."""
        self._coming = None
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
        self._coming = None
        self._pools.dismiss_arriving()
        for pool in self._pools.serving.values():
            pool.rolling.abandon()
        for bound in without(sockets_of(coming.values()), self._pools.sockets()):
            bound.close()


def _adopt_changed(old: Sequence[BoundSocket], new: Sequence[BoundSocket]) -> None:
    """Make sockets what their URLs say now, where these have changed on the same address."""
    before = {id(bound.socket): bound.transport for bound in old}
    for bound in new:
        if before.get(id(bound.socket), bound.transport) is not bound.transport:
            try:
                bound.transport.adopt(bound.endpoint, bound.socket)
            except HOOK_ERRORS as error:
                events.socket_not_adopted.exception(log, error, url=bound.url)
