"""The hooks of one pool that are called in the master: of the plugins that serve, and of those that come and go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from corepool.master.plugins import Plugins, call_hooks
from corepool.spec.types import PoolInfo

if TYPE_CHECKING:
    from corepool.master.roll import Roll
    from corepool.master.workers import Workers
    from corepool.plugins.listener import Configuration


class PoolPlugins:
    """Calls hooks with the facts of the pool."""

    def __init__(self, roll: Roll, workers: Workers, version: str) -> None:
        """Begin with none that has started."""
        self._roll = roll
        self._workers = workers
        self._version = version
        self._plugins = Plugins()

    def info(self) -> PoolInfo:
        """Return the facts that hooks are given."""
        serving = self._roll.serving
        account = serving.identity.account
        return PoolInfo(
            pid=os.getpid(),
            version=self._version,
            workers=self._workers.target,
            bind=tuple(each.url for each in serving.bound),
            workers_uid=-1 if account is None else account.uid,
            workers_gid=-1 if account is None else account.gid,
            name=serving.name,
        )

    def call(self, name: str, *values: object) -> None:
        """Call a hook of the plugins that serve."""
        call_hooks(self._roll.serving.chains, name, *values)

    def start(self, configuration: Configuration) -> None:
        """Call `on_start` of the plugins of a configuration that have not started: before the first fork with it."""
        self._plugins.start(configuration.chains, self.info())

    def stop_unused(self) -> None:
        """Call `on_stop` of plugins that a reload has removed, once no worker has them any more."""
        configurations = [self._roll.serving, self._roll.newest, *(entry.configuration for entry in self._workers)]
        self._plugins.stop_others([chain for each in configurations for chain in each.chains], self.info())

    def stop(self) -> None:
        """Call `on_stop` of all, after the last worker."""
        self._plugins.stop_others((), self.info())
