"""The plugins of one pool in the master: whose hooks are called, and which have begun and have to hear of their end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.master import events

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from corepool.plugins.chain import Chain
    from corepool.spec.types import PoolInfo

log = logging.getLogger(__name__)


def call_hooks(chains: Iterable[Chain], name: str, *values: object) -> None:
    """Call a hook of every listener, in this process; one that fails costs no other."""
    for chain in chains:
        hook = getattr(chain, name)
        if hook is None:
            continue
        try:
            hook(*values)
        except HOOK_ERRORS as error:
            events.master_hook_failed.exception(log, error, hook=name)


class Plugins:
    """Those that were told `on_start`, each listener's once, and not yet `on_stop`."""

    def __init__(self) -> None:
        self._started: list[Chain] = []

    def start(self, chains: Iterable[Chain], info: PoolInfo) -> None:
        """Begin with those that have not begun."""
        fresh = [chain for chain in chains if chain not in self._started]
        self._started += fresh
        call_hooks(fresh, "on_start", info)

    def stop_others(self, used: Collection[Chain], info: PoolInfo) -> None:
        """End those that are not used any more."""
        over = [chain for chain in self._started if chain not in used]
        self._started = [chain for chain in self._started if chain in used]
        call_hooks(over, "on_stop", info)
