"""Assigns sockets that are open already to the addresses of a new configuration. Pure.

First by URL and name of the listener: where several sockets have the same URL (port 0), a listener keeps its port when
another one is taken away. The rest goes by the URL alone, for a listener may have a new name; then by the address
alone, if the transport can live with another ?query (`Transport.takes_over`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corepool.spec.transport import Endpoint

    Place = tuple[str, Endpoint]
    """The name of a listener, and where it listens."""


def match(
    wanted: Sequence[Place], there: Sequence[Place], takes_over: Callable[[int, Endpoint], bool]
) -> dict[int, int]:
    """Map the position of each place in `wanted` to that of the place in `there` that serves it, if any.

    :param takes_over: tells whether a wanted place, by its position, can be served by a socket that was bound for
        another endpoint on the same address.
    """
    found: dict[int, int] = {}
    free = list(range(len(there)))

    def look(fits: Callable[[int, Place, Place], bool]) -> None:
        for place, want in enumerate(wanted):
            if place in found:
                continue
            same = next((each for each in free if fits(place, want, there[each])), None)
            if same is not None:
                found[place] = same
                free.remove(same)

    look(lambda _, want, has: want[0] == has[0] and want[1].url == has[1].url)
    look(lambda _, want, has: want[1].url == has[1].url)
    look(lambda place, want, has: _address(want[1]) == _address(has[1]) and takes_over(place, has[1]))
    return found


def _address(endpoint: Endpoint) -> object:
    return endpoint.scheme, endpoint.host, endpoint.port, endpoint.path
