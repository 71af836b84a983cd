"""Which commands are forwarded, in which way, and where the first key of a request is. Does no I/O.

A command that is not in these tables is forwarded as it is, and its first argument is taken for a key: commands of
modules and of later versions are served, too. In a cluster the server that is asked says MOVED if that was wrong.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Way(Enum):
    """How a command is served."""

    SHARED = "on the link of all clients"
    HERE = "by this listener itself: it is about the connection"
    BLOCKING = "on a link of the client's own, since it may wait"
    TRANSACTION = "on a link of the client's own, until the transaction is over"
    CHANNELS = "on a link of the client's own, from now on"
    EVERYWHERE = "by every primary of a cluster"
    REFUSED = "not at all"


class Kind(NamedTuple):
    """The facts of a command."""

    way: Way
    key: Callable[[Sequence[bytes]], bytes | None] | None
    """Finds the first key; None: it is the first argument."""


def _at(place: int) -> Callable[[Sequence[bytes]], bytes | None]:
    return lambda words: words[place] if len(words) > place else None


def _none(words: Sequence[bytes]) -> None:
    """Find no key: the command has none."""


def _behind(word: bytes) -> Callable[[Sequence[bytes]], bytes | None]:
    def find(words: Sequence[bytes]) -> bytes | None:
        for index, each in enumerate(words[1:-1], 1):
            if each.upper() == word:
                return words[index + 1]
        return None

    return find


def _of_subcommand(words: Sequence[bytes]) -> bytes | None:
    return words[2] if len(words) > 2 and words[1].upper() != b"HELP" else None


def _memory(words: Sequence[bytes]) -> bytes | None:
    return words[2] if len(words) > 2 and words[1].upper() == b"USAGE" else None


def _script(words: Sequence[bytes]) -> bytes | None:
    """Find the first key behind the number of keys: a script may have none."""
    return words[3] if len(words) > 3 and words[2] not in (b"0", b"") else None


_HERE = "auth hello select client quit reset"
_BLOCKING = "blpop brpop brpoplpush blmove bzpopmin bzpopmax"
_NUMBERED = "zunion zinter zdiff zintercard sintercard lmpop zmpop"
_TRANSACTIONS = "multi exec discard watch unwatch"
_CHANNELS = "subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe monitor"
_REFUSED = (
    "wait waitaof sync psync replconf replicaof slaveof failover shutdown cluster readonly readwrite asking migrate "
    "debug restore-asking"
)
_WITHOUT_KEYS = (
    "ping echo time info command config dbsize keys scan randomkey flushdb flushall swapdb publish pubsub script "
    "function acl slowlog commandlog latency module role save bgsave bgrewriteaof lastsave lolwut"
)
_SUBCOMMANDS = "object xinfo xgroup pfdebug"
_SCRIPTS = "eval evalsha eval_ro evalsha_ro fcall fcall_ro"


def _make() -> dict[bytes, Kind]:
    made: dict[bytes, Kind] = {}

    def add(names: str, way: Way, key: Callable[[Sequence[bytes]], bytes | None] | None) -> None:
        for name in names.encode().split():
            made[name] = made[name.upper()] = Kind(way, key)

    add(_HERE, Way.HERE, _none)
    add(_BLOCKING, Way.BLOCKING, None)
    add("blmpop bzmpop", Way.BLOCKING, _at(3))
    add(_NUMBERED, Way.SHARED, _at(2))
    add("zunionstore zinterstore zdiffstore", Way.SHARED, None)
    add(_TRANSACTIONS, Way.TRANSACTION, _none)
    add("watch", Way.TRANSACTION, None)
    add(_CHANNELS, Way.CHANNELS, _none)
    add("ssubscribe sunsubscribe", Way.CHANNELS, None)
    add(_REFUSED, Way.REFUSED, _none)
    add(_WITHOUT_KEYS, Way.SHARED, _none)
    add("flushdb flushall dbsize keys script function", Way.EVERYWHERE, _none)
    add(_SUBCOMMANDS, Way.SHARED, _of_subcommand)
    add("memory", Way.SHARED, _memory)
    add(_SCRIPTS, Way.SHARED, _script)
    add("bitop", Way.SHARED, _at(2))
    return made


KINDS = _make()
"""By the spellings that clients send."""

ORDINARY = Kind(Way.SHARED, None)
_STREAMS = Kind(Way.SHARED, _behind(b"STREAMS"))
_BLOCKING_STREAMS = Kind(Way.BLOCKING, _behind(b"STREAMS"))


def kind_of(words: Sequence[bytes]) -> Kind:
    """Return the kind of a request's command, which is not in `KINDS` as it is spelled."""
    name = words[0].lower()
    if name in (b"xread", b"xreadgroup"):
        until_keys = words[1 : next((i for i, word in enumerate(words) if word.upper() == b"STREAMS"), None)]
        return _BLOCKING_STREAMS if any(word.upper() == b"BLOCK" for word in until_keys) else _STREAMS
    return KINDS.get(name, ORDINARY)
