"""The keys of requests that say how many keys they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.replies import Error

if TYPE_CHECKING:
    from collections.abc import Callable


def numbered(place: int, *, has_target: bool = False) -> Callable[[list[bytes]], list[bytes]]:
    """Return a function that finds the keys behind their number.

    :param place: the index of the number.
    :param has_target: another key is the first argument.
    """

    def find(request: list[bytes]) -> list[bytes]:
        text = request[place]
        number = int(text) if text.isdigit() and len(text) < 10 else 0
        if not 0 < number < len(request) - place:
            raise Error("ERR Invalid arguments specified for command")
        return request[1 : 1 + has_target] + request[place + 1 : place + 1 + number]

    return find
