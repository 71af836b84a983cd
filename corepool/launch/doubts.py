"""Settings that are allowed, and probably not meant: `corepool check` prints them, and a start logs them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.launch import events

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from corepool.config.settings import ListenerSettings
    from corepool.launch.binding import Wanted
    from corepool.plugins.listener import BoundSocket
    from corepool.spec.dispatcher import Dispatcher
    from corepool.spec.transport import Endpoint, Transport

log = logging.getLogger(__name__)


def doubts_about_proxies(
    where: str, settings: ListenerSettings, dispatcher_name: str, dispatcher: Dispatcher | None
) -> Iterator[str]:
    """Yield the doubts about the peers that are trusted to name clients."""
    for position, rule in enumerate(settings.accept_proxy):
        if rule != "unix" and rule.prefixlen == 0:
            yield (
                f'{where}.accept_proxy[{position}] = "{rule}": every host that reaches the listener may claim any '
                "client's address; name the proxies"
            )
    if settings.accept_proxy and dispatcher is not None and dispatcher.chooses_by_peer:
        yield (
            f"{where}.accept_proxy: dispatcher {dispatcher_name!r} is asked before the header is read, and sees the "
            "proxy's address: all clients of a proxy come to one worker; choose another dispatcher"
        )


def doubts_about_timeouts(wanted: Iterable[Wanted]) -> Iterator[str]:
    """Yield a doubt for each time-out of a listener that never waits for that."""
    kinds: dict[str, tuple[ListenerSettings, list[Transport]]] = {}
    for each in wanted:
        kinds.setdefault(each.where.partition(".")[0], (each.settings, []))[1].append(each.transport)
    for where, (settings, transports) in kinds.items():
        is_set = settings.model_fields_set
        looks = len(settings.protocol_names) > 1 or any(each.takes_plain for each in transports)
        if "sniff_timeout" in is_set and not looks:
            yield (
                f"{where}.sniff_timeout: it has no effect: the listener has one protocol, and no address for TLS "
                "and plain clients; leave it out, or list several `protocols`"
            )
        if "accept_proxy_timeout" in is_set and not settings.accept_proxy:
            yield f"{where}.accept_proxy_timeout: it has no effect: no peer is asked for a header; set accept_proxy"


def obstacles_to_proxies(wanted: Iterable[Wanted]) -> Iterator[str]:
    """Yield a mistake for each listener that no peer of its `accept_proxy` can ever reach."""
    kinds: dict[str, tuple[ListenerSettings, set[str]]] = {}
    for each in wanted:
        where = each.where.partition(".")[0]
        kinds.setdefault(where, (each.settings, set()))[1].add(_kind_of_peers(each.endpoint))
    for where, (settings, found) in kinds.items():
        rules = settings.accept_proxy
        if rules and found == {"unix"} and "unix" not in rules:
            yield (
                f'{where}.accept_proxy: it has no "unix", and the listener has UNIX sockets only: no peer would be '
                "asked for a header"
            )
        if found == {"ip"} and set(rules) == {"unix"}:
            yield f'{where}.accept_proxy = ["unix"]: the listener has no UNIX socket; name the networks of the proxies'


def _kind_of_peers(endpoint: Endpoint) -> str:
    if endpoint.port is not None:
        return "ip"
    return "unix" if endpoint.path else "unknown"


def warn(doubts: Iterable[str], bound: Iterable[BoundSocket], before: Iterable[BoundSocket]) -> None:
    """Log the doubts, and which new sockets listen on every address of the machine: few mean that default of others."""
    for doubt in doubts:
        setting, _, reason = doubt.partition(": ")
        events.setting_doubtful(log, setting=setting, reason=reason)
    known = {each.index for each in before}
    for each in bound:
        if each.index not in known and each.address.is_every_address:
            events.listens_on_every_address(
                log,
                listener=each.listener.name,
                url=each.url,
                advice=f"{each.address.nearby.url} is this machine's own",
            )
