"""New certificates, and other files that transports read, without a reload: the master looks, again and again."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.master import events
from corepool.master.delivering import deliver
from corepool.master.status import CertificateStatus, NotRenewed, RenewalStatus
from corepool.plugins.renewal import expiry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool.master.loop import Loop
    from corepool.master.pools import Pools
    from corepool.master.workers import HeldState
    from corepool.plugins.listener import BoundSocket

log = logging.getLogger(__name__)

LOOK_INTERVAL_S = 10.0
"""Between two looks at the files: a stat(2) of each. Clients of ACME renew weeks before the end."""

_DELIVERY_INTERVAL_S = 1.0
_DAY_S = 86_400.0


class Renewing:
    """Looks at the files of every socket that is served."""

    def __init__(self, loop: Loop, pools: Pools, clock: Callable[[], float] = time.time) -> None:
        """Prepare; nothing is looked at before `start`.

        :param clock: returns the seconds since the epoch.
        """
        self._loop = loop
        self._pools = pools
        self._clock = clock
        self._looked_at = self._warned_at = clock()

    def start(self) -> None:
        """Look from now on, again and again."""
        self._warn()
        self._loop.repeat(lambda: LOOK_INTERVAL_S, self.look_again)
        self._loop.repeat(lambda: _DELIVERY_INTERVAL_S, self.deliver)

    def look(self) -> int:
        """Read the files again, and hand new ones to the workers, also to those that could not take them.

        :returns: how many sockets have a new state.
        """
        for held in self._held():
            held.rest = 0
        return self.look_again()

    def look_again(self) -> int:
        """Do as `look`, but let workers that could not take a state rest before they are sent it again."""
        changed = sum(map(look, self._pools.sockets()))
        self._looked_at = self._clock()
        for held in self._held():
            held.look()
        self.deliver()
        if changed or not 0 <= self._looked_at - self._warned_at < _DAY_S:
            self._warn()
        return changed

    def deliver(self) -> None:
        """Send every worker the states that it lacks."""
        deliver(entry for pool in self._pools for entry in pool.workers.ready())

    def _held(self) -> Iterator[HeldState]:
        return (held for pool in self._pools for entry in pool.workers for held in entry.states.values())

    def status(self) -> RenewalStatus:
        """Describe what could not be renewed."""
        failures = [
            _failure(bound, "", bound.renewal.failure) for bound in self._pools.sockets() if bound.renewal.failure
        ]
        waiting, waited_for = 0, []
        for entry in (entry for pool in self._pools for entry in pool.workers.ready()):
            for bound in entry.configuration.bound:
                held = entry.states.get(bound.index)
                if held is not None and held.failure:
                    failures.append(_failure(bound, entry.name, held.failure))
                elif held is not None and held.taken < bound.renewal.number:
                    waiting += 1
                    waited_for.append(f"{entry.name} (pid {entry.pid})")
        return RenewalStatus(
            looked_at=self._looked_at,
            waiting=waiting,
            waiting_for=list(dict.fromkeys(waited_for)),
            failures=failures,
            certificates=self._certificates(),
        )

    def _certificates(self) -> list[CertificateStatus]:
        """Describe the certificates that are presented, each once a listener."""
        found = {
            (bound.listener.name, each.source): CertificateStatus(
                listener=bound.listener.name,
                source=each.source,
                names=list(each.names),
                not_before=each.not_before,
                not_after=each.not_after,
            )
            for bound in self._pools.sockets()
            for each in bound.renewal.certificates
        }
        return list(found.values())

    def _warn(self) -> None:
        """Log which certificates end soon."""
        self._warned_at = self._clock()
        for bound in self._pools.sockets():
            for each in bound.renewal.certificates:
                said = expiry(each, self._warned_at)
                if said is not None:
                    events.certificate_expiry(
                        log,
                        listener=bound.listener.name,
                        source=each.source,
                        names=", ".join(each.names[:3]),
                        reason=said,
                    )


def look(bound: BoundSocket) -> bool:
    """Read the files of a socket again. A failure is logged once for each reason: they are read till they are right."""
    renewal = bound.renewal
    before = renewal.failure
    fields = {"listener": bound.listener.name, "url": bound.url}
    try:
        changed = renewal.look()
    except HOOK_ERRORS as error:  # of a plugin, too
        if renewal.failure != before:
            if isinstance(error, OSError | ValueError):
                events.transport_not_renewed(log, **fields, reason=renewal.failure)
            else:
                events.transport_not_renewed.exception(log, error, **fields)
        return False
    if renewal.failure not in ("", before):  # of some files
        events.transport_not_renewed(log, **fields, reason=renewal.failure)
    if changed or (before and not renewal.failure):
        events.transport_renewed(log, **fields, state=renewal.number)
    return changed


def _failure(bound: BoundSocket, worker: str, reason: str) -> NotRenewed:
    return NotRenewed(listener=bound.listener.name, url=bound.url, worker=worker, reason=reason)
