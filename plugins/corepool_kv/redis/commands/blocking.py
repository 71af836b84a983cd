"""Commands that wait for elements of lists and sorted sets, and WAIT: what each asks for, and how it is answered."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING

from corepool_kv.engine.demands import Demand, take_any
from corepool_kv.engine.line import INTERRUPTED, NO_GROUP, NO_STREAM, TIMED_OUT
from corepool_kv.engine.stream_demands import StreamDemand
from corepool_kv.engine.streams import unpack_entry
from corepool_kv.redis.commands.lists import is_left, parse_count_option, parse_keys
from corepool_kv.redis.commands.scanning import SYNTAX
from corepool_kv.redis.commands.stream_words import word_entries
from corepool_kv.redis.may_wait import MayWait
from corepool_kv.redis.numbers import LARGEST, parse_float, parse_integer
from corepool_kv.redis.replies import Error, NullArray
from corepool_kv.stores import LIST, SORTED_SET

if TYPE_CHECKING:
    from corepool_kv.engine.demands import AnyDemand
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.line import Outcome
    from corepool_kv.engine.taken import Taken
    from corepool_kv.redis.entry import Demands, OnBoth
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

MAX_KEYS = 10_000
"""Keys that one client may wait for."""

MAX_COUNT = 2**32 - 1
"""Elements, or entries, that one client may wait for."""


def blpop(args: list[bytes]) -> MayWait:
    return _first_of(args, LIST, first=True)


def brpop(args: list[bytes]) -> MayWait:
    return _first_of(args, LIST, first=False)


def bzpopmin(args: list[bytes]) -> MayWait:
    return _first_of(args, SORTED_SET, first=True)


def bzpopmax(args: list[bytes]) -> MayWait:
    return _first_of(args, SORTED_SET, first=False)


def blmove(args: list[bytes]) -> MayWait:
    source, target, begin, end, patience = args
    first, to_front = is_left(begin), is_left(end)
    return _popping(Demand(0, LIST, first, 0, (source,), target, to_front), _parse_patience(patience))


def brpoplpush(args: list[bytes]) -> MayWait:
    source, target, patience = args
    demand = Demand(0, LIST, first=False, most=0, keys=(source,), target=target, to_front=True)
    return _popping(demand, _parse_patience(patience))


def blmpop(args: list[bytes]) -> MayWait:
    return _some_of(args, LIST, b"LEFT", b"RIGHT")


def bzmpop(args: list[bytes]) -> MayWait:
    return _some_of(args, SORTED_SET, b"MIN", b"MAX")


def wait(args: list[bytes]) -> MayWait:
    """WAIT: there are no replicas, so a client that wants any waits until its time is over."""
    replicas = parse_integer(args[0])
    demand = Demand(0, 0, first=False, most=0, keys=())
    return MayWait(lambda _: demand if replicas > 0 else 0, parse_milliseconds(args[1]), 0)


def at_once(demands: Demands) -> OnBoth:
    """Return the handler for MULTI and scripts, which does not wait."""

    def handle(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
        return demands(args).at_once(db)

    return handle


def parse_milliseconds(text: bytes) -> int:
    """Read the longest wait in whole milliseconds (getTimeoutFromObjectOrReply)."""
    patience_ms = parse_integer(text, "ERR timeout is not an integer or out of range")
    if patience_ms < 0:
        raise Error("ERR timeout is negative")
    if patience_ms > LARGEST - time.time_ns() // 1_000_000:
        raise Error("ERR timeout is out of range")
    return patience_ms


def word_taken(demand: AnyDemand, taken: Taken) -> Reply:
    """Return the reply with the elements that a demand got."""
    if isinstance(demand, StreamDemand):
        return word_entries([(taken.key, [unpack_entry(each) for each in taken.elements])])
    if not taken.elements:
        return Error("WRONGTYPE Operation against a key holding the wrong kind of value")
    if demand.target is not None:
        return taken.elements[0]
    if demand.type == LIST:
        return [taken.key, list(taken.elements)] if demand.most else [taken.key, *taken.elements]
    members = list(zip(taken.elements, taken.scores, strict=True))
    if demand.most:
        return [taken.key, [[member, score] for member, score in members]]
    return [taken.key, *members[0]]


def word_outcome(outcome: Outcome) -> Reply:
    """Return the reply to a client whose wait is over."""
    if outcome.kind == INTERRUPTED:
        return Error("UNBLOCKED client unblocked via CLIENT UNBLOCK")
    if outcome.kind == NO_GROUP:
        return Error("NOGROUP the consumer group this client was blocked on no longer exists")
    if outcome.kind == NO_STREAM:
        return Error("UNBLOCKED the stream key no longer exists")
    if outcome.kind == TIMED_OUT or outcome.taken is None:
        return NullArray() if outcome.demand.type else 0
    return word_taken(outcome.demand, outcome.taken)


def unblock(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    """CLIENT UNBLOCK: of any worker."""
    if len(args) > 2:
        shown = "unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP."
        raise Error(f"ERR {shown}")
    kind = TIMED_OUT
    if len(args) == 2:
        how = args[1].upper()
        if how not in (b"TIMEOUT", b"ERROR"):
            raise Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
        kind = TIMED_OUT if how == b"TIMEOUT" else INTERRUPTED
    return int(server.blocking.interrupt(db, parse_integer(args[0]), kind))


def _first_of(args: list[bytes], kind: int, *, first: bool) -> MayWait:
    *keys, patience = args
    return _popping(Demand(0, kind, first, 0, check_keys(keys)), _parse_patience(patience))


def _some_of(args: list[bytes], kind: int, front: bytes, back: bytes) -> MayWait:
    patience_ms = _parse_patience(args[0])
    keys, rest = parse_keys(args[1:])
    if not rest or rest[0].upper() not in (front, back):
        raise Error(SYNTAX)
    count = min(parse_count_option(rest[1:]), MAX_COUNT)
    return _popping(Demand(0, kind, rest[0].upper() == front, count, check_keys(keys)), patience_ms)


def _popping(demand: Demand, patience_ms: int) -> MayWait:
    otherwise = NullArray() if demand.target is None else None
    return MayWait(functools.partial(_pop, demand), patience_ms, otherwise)


def _pop(demand: Demand, db: Keyspace) -> Reply | AnyDemand:
    taken = take_any(db, demand)
    return demand if taken is None else word_taken(demand, taken)


def check_keys(keys: list[bytes]) -> tuple[bytes, ...]:
    """Return the keys to wait for.

    :raises Error: they are too many.
    """
    if len(keys) > MAX_KEYS:
        raise Error(f"ERR more than {MAX_KEYS} keys to wait for")
    return tuple(keys)


def _parse_patience(text: bytes) -> int:
    """Read a number of seconds, and return milliseconds (getTimeoutFromObjectOrReply)."""
    seconds = parse_float(text, "ERR timeout is not a float or out of range")
    milliseconds = LARGEST + 1 if seconds is None else -(-seconds * 1000 // 1)  # rounded up
    if milliseconds < 0 or milliseconds > LARGEST:  # too large a double becomes a negative number there
        raise Error("ERR timeout is negative")
    if milliseconds > LARGEST - time.time_ns() // 1_000_000:
        raise Error("ERR timeout is out of range")
    return int(milliseconds)
