"""Binding the addresses that a plan wants: open and inherited sockets are taken over, and the others are new."""

from __future__ import annotations

import errno
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from corepool.guards import HOOK_ERRORS
from corepool.launch.mistakes import Remark, spell_failure
from corepool.launch.reuse import match
from corepool.plugins.listener import BoundSocket
from corepool.plugins.renewal import Renewal, expiry, is_valid, named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from corepool.config.settings import ListenerSettings
    from corepool.ipc.shapes import SocketIndex
    from corepool.launch.mistakes import Mistakes
    from corepool.master.inheritance import Inheritance
    from corepool.plugins.listener import Listener
    from corepool.spec.transport import Endpoint, Transport


class Wanted(NamedTuple):
    """One address of a configuration."""

    where: str
    """Its place in the configuration, for mistakes."""
    settings: ListenerSettings
    listener: Listener | None
    """None: it has mistakes."""
    endpoint: Endpoint
    transport: Transport
    slot: int | None
    """Of the one worker that it is for."""


def bind(
    wanted: Sequence[Wanted],
    next_index: Callable[[], SocketIndex],
    there: Sequence[BoundSocket],
    inheritance: Inheritance | None,
    mistakes: Mistakes,
) -> list[BoundSocket]:
    """Bind every address.

    :param next_index: numbers a new socket.
    :param there: the sockets that are open already.
    :param inheritance: those that the master before this one has left, if there is one.
    :param mistakes: those that are known.
    :raises ConfigError: with every mistake; nothing new is left bound.
    """
    bound: list[BoundSocket] = []
    left = [] if inheritance is None else inheritance.places
    kept = _match(wanted, [(each.listener.name, each.endpoint) for each in there])
    inherited = _match(wanted, left)
    ours = [(each.url, each.address.port, each.endpoint) for each in there]
    ours += [(each.url, each.port, each) for _, each in left]
    with ExitStack() as undo:
        for place, each in enumerate(wanted):
            where, settings, listener, endpoint, transport, slot = each
            try:
                if place in kept:
                    same = there[kept[place]]
                    transport.relisten(same.socket, settings.backlog)
                    if (again := _keep(same, each, mistakes)) is not None:
                        bound.append(again)
                    continue
                renewal = Renewal(transport, endpoint)
                if listener is not None:
                    transport.offer(listener.alpn)
                if not _read_files(renewal, where, endpoint, mistakes):
                    continue
                if inheritance is not None and place in inherited:
                    sock = inheritance.take(inherited[place])
                    undo.callback(sock.close)
                    transport.relisten(sock, settings.backlog)
                else:
                    sock = transport.listen(endpoint, settings.backlog)
            except OSError as error:
                reason = _in_use_by(endpoint, ours) if error.errno == errno.EADDRINUSE else None
                mistakes.add(_spell_refusal(where, endpoint, error, reason))
                continue
            if listener is None:
                transport.close(endpoint, sock)
                continue
            undo.callback(sock.close)
            url, address = transport.url(endpoint, sock), transport.address(sock.getsockname())
            bound.append(BoundSocket(next_index(), listener, endpoint, transport, sock, url, address, renewal, slot))
            undo.callback(bound[-1].close)
        mistakes.finish()
        undo.pop_all()
    return bound


def find_overlaps(wanted: Iterable[Wanted]) -> Iterator[str]:
    """Yield a mistake for each URL that `bind_per_worker` has made and that another listener, or `bind`, has as well.

    Those that are written twice are found with the other contradictions of the file.
    """
    first: dict[str, Wanted] = {}
    for each in wanted:
        before = first.setdefault(each.endpoint.url, each)
        is_made = each.slot is not None or before.slot is not None
        if before is not each and is_made and each.endpoint.port != 0:
            slots = [f", for the worker in slot {it.slot}" if it.slot is not None else "" for it in (each, before)]
            yield f"{each.where}: {each.endpoint.url}{slots[0]}: already bound by {before.where}{slots[1]}"


def examine(wanted: Iterable[Wanted], mistakes: Mistakes) -> list[Remark]:
    """Find the addresses on which this system would not let the pool listen, without binding any for good.

    :returns: remarks about what it would listen with.
    """
    remarks: list[Remark] = []
    for where, _, _, endpoint, transport, _ in wanted:
        renewal = Renewal(transport, endpoint)
        if _read_files(renewal, where, endpoint, mistakes):
            now = time.time()
            remarks += [
                Remark(f"{where}: {named(each)} {said}", is_mistake=not is_valid(each, now))
                for each in renewal.certificates
                if (said := expiry(each, now)) is not None
            ]
        try:
            transport.examine(endpoint)
        except KeyboardInterrupt:  # the operator's
            raise
        except OSError as error:
            mistakes.add(_spell_refusal(where, endpoint, error))
        except HOOK_ERRORS as error:
            mistakes.add(f"{where}: {endpoint.url}: its transport failed: {spell_failure(error)}", error)
    return remarks


def _spell_refusal(where: str, endpoint: Endpoint, error: OSError, reason: str | None = None) -> str:
    """Return the mistake that an address on which the system doesn't let us listen is.

    :param reason: in the place of the error's own.
    """
    return f"{where}: can't listen on {endpoint.url}: {reason or error.strerror or error}"


def _match(wanted: Sequence[Wanted], there: Sequence[tuple[str, Endpoint]]) -> dict[int, int]:
    def takes_over(place: int, before: Endpoint) -> bool:
        return wanted[place].transport.takes_over(wanted[place].endpoint, before)

    return match([(each.settings.name, each.endpoint) for each in wanted], there, takes_over)


def _keep(same: BoundSocket, wanted: Wanted, mistakes: Mistakes) -> BoundSocket | None:
    """Return a socket that is open already as the new configuration has it; None: there is a mistake."""
    where, _, listener, endpoint, transport, slot = wanted
    url, renewal = same.url, same.renewal
    if same.endpoint.url == endpoint.url:
        endpoint, transport = same.endpoint, same.transport
    else:
        url, renewal = transport.url(endpoint, same.socket), Renewal(transport, endpoint)
    if listener is None:
        _read_files(renewal, where, endpoint, mistakes)
        return None
    transport.offer(listener.alpn)
    if not _read_files(renewal, where, endpoint, mistakes):
        return None
    return replace(same, listener=listener, endpoint=endpoint, transport=transport, url=url, renewal=renewal, slot=slot)


def _read_files(renewal: Renewal, where: str, endpoint: Endpoint, mistakes: Mistakes) -> bool:
    """Read the files of a transport; False: there is a mistake."""
    try:
        renewal.look()
        if renewal.failure:  # of some files: the others may be renewed without, but no pool starts so
            mistakes.add(f"{where}: {endpoint.url}: {renewal.failure}")
    except KeyboardInterrupt:  # the operator's
        raise
    except (OSError, ValueError):
        mistakes.add(f"{where}: {endpoint.url}: {renewal.failure}")
    except HOOK_ERRORS as error:
        mistakes.add(f"{where}: {endpoint.url}: its transport failed: {renewal.failure}", error)
    return not renewal.failure


def _in_use_by(endpoint: Endpoint, ours: Iterable[tuple[str, int | None, Endpoint]]) -> str | None:
    """Return a reason if this pool itself has the address: a restart helps then, but not against another program."""
    for url, port, its in ours:
        if (endpoint.port and endpoint.port == port) or (endpoint.path and endpoint.path == its.path):
            return f"this pool itself listens on {url}, and can't change that address while it runs; restart it"
    return None
