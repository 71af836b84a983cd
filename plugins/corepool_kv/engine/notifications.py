"""Events of keys, of which clients may be told: their names, by the letters of Redis's notify-keyspace-events.

Each has one class, so a command names the event alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENTS: Mapping[str, frozenset[bytes]] = {
    letter: frozenset(names.encode().split())
    for letter, names in {
        "g": "del expire persist rename_from rename_to move_from move_to copy_to restore",
        "$": "set setrange incrby incrbyfloat append setbit",
        "l": "lpush rpush lpop rpop linsert lset ltrim lrem sortstore",
        "s": "sadd srem spop sinterstore sunionstore sdiffstore",
        "h": "hset hincrby hincrbyfloat hdel",
        "z": "zadd zincr zrem zremrangebyscore zremrangebyrank zremrangebylex zunionstore zinterstore zdiffstore "
        "zrangestore zpopmin zpopmax",
        "x": "expired",
        "e": "evicted",
        "t": "xadd xtrim xdel xsetid xgroup-create xgroup-setid xgroup-destroy xgroup-createconsumer "
        "xgroup-delconsumer",
        "d": "",  # of modules, which do not exist here
        "n": "new",
        "m": "keymiss",
    }.items()
}

ON_KEYS, ON_EVENTS = "K", "E"
"""Letters of the two ways to tell: under the name of the key, and under that of the event."""

_ALL = "g$lshzxetd"
"""The letters that A stands for."""

_SHOWN = _ALL + "nKEm"
"""All letters, in the order of CONFIG GET."""

_KNOWN = frozenset((*EVENTS, ON_KEYS, ON_EVENTS))


def parse_letters(text: str) -> frozenset[str] | None:
    """Return the letters of a setting; None: one of them has no meaning."""
    letters = frozenset(text.replace("A", _ALL))
    return letters if letters <= _KNOWN else None


def show_letters(letters: frozenset[str]) -> str:
    """Return letters as CONFIG GET shows them."""
    return "".join(letter for letter in _SHOWN if letter in letters).replace(_ALL, "A")


class Listener(Protocol):
    """Sends events to clients."""

    def tell(self, letters: frozenset[str], number: int, event: bytes, key: bytes) -> None:
        """Send an event to those that are listening.

        :param letters: of all listeners.
        :param number: the database.
        """


class Notifications:
    """The events of one store in one worker that listeners want to be told of.

    Owned by an execution; `wanted` is also read in the thread of commits.
    """

    def __init__(self) -> None:
        self.wanted: frozenset[bytes] = frozenset()
        """Their names; empty: nothing is told, and it costs nothing."""
        self._letters: frozenset[str] = frozenset()
        self._listeners: dict[Listener, frozenset[str]] = {}

    def choose(self, listener: Listener, letters: frozenset[str]) -> None:
        """Have a listener told of the events with some letters from now on; without any, of none."""
        if letters:
            self._listeners[listener] = letters
        else:
            self._listeners.pop(listener, None)
        every = self._letters = frozenset[str]().union(*self._listeners.values())
        named = frozenset[bytes]().union(*(EVENTS.get(letter, frozenset()) for letter in every))
        self.wanted = named if every & {ON_KEYS, ON_EVENTS} else frozenset()

    def tell(self, number: int, event: bytes, key: bytes) -> None:
        """Send an event that has happened, once: the clients of all listeners have their channels in common.

        :param number: the database.
        """
        for listener in self._listeners:
            listener.tell(self._letters, number, event, key)
            return
