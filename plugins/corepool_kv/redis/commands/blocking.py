"""Commands that wait for elements of lists and sorted sets, and WAIT: what each asks for, and how it is answered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from corepool_kv.engine.demands import Demand, take_any
from corepool_kv.engine.line import INTERRUPTED, TIMED_OUT
from corepool_kv.redis.commands.lists import is_left, parse_count_option, parse_keys
from corepool_kv.redis.commands.scanning import SYNTAX
from corepool_kv.redis.numbers import LARGEST, parse_float, parse_integer
from corepool_kv.redis.replies import Error, NullArray
from corepool_kv.stores import LIST, SORTED_SET

if TYPE_CHECKING:
    from corepool_kv.engine.demands import Taken
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.line import Outcome
    from corepool_kv.redis.entry import Demands, OnBoth
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

MAX_KEYS = 10_000
"""Keys that one client may wait for."""

_MAX_COUNT = 2**32 - 1


def blpop(args: list[bytes]) -> tuple[Demand, int]:
    return _first_of(args, LIST, first=True)


def brpop(args: list[bytes]) -> tuple[Demand, int]:
    return _first_of(args, LIST, first=False)


def bzpopmin(args: list[bytes]) -> tuple[Demand, int]:
    return _first_of(args, SORTED_SET, first=True)


def bzpopmax(args: list[bytes]) -> tuple[Demand, int]:
    return _first_of(args, SORTED_SET, first=False)


def blmove(args: list[bytes]) -> tuple[Demand, int]:
    source, target, begin, end, patience = args
    first, to_front = is_left(begin), is_left(end)
    return Demand(0, LIST, first, 0, (source,), target, to_front), _parse_patience(patience)


def brpoplpush(args: list[bytes]) -> tuple[Demand, int]:
    source, target, patience = args
    return Demand(0, LIST, first=False, most=0, keys=(source,), target=target, to_front=True), _parse_patience(patience)


def blmpop(args: list[bytes]) -> tuple[Demand, int]:
    return _some_of(args, LIST, b"LEFT", b"RIGHT")


def bzmpop(args: list[bytes]) -> tuple[Demand, int]:
    return _some_of(args, SORTED_SET, b"MIN", b"MAX")


def wait(args: list[bytes]) -> tuple[Demand, int]:
    """WAIT: there are no replicas, so a client that wants any waits until its time is over."""
    replicas = parse_integer(args[0])
    patience_ms = parse_integer(args[1], "ERR timeout is not an integer or out of range")
    if patience_ms < 0:
        raise Error("ERR timeout is negative")
    if patience_ms > LARGEST - time.time_ns() // 1_000_000:
        raise Error("ERR timeout is out of range")
    return Demand(0, 0, first=False, most=replicas > 0, keys=()), patience_ms


def at_once(demands: Demands) -> OnBoth:
    """Return the handler for MULTI and scripts, which does not wait."""

    def handle(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
        demand, _ = demands(args)
        if not demand.type:
            return 0
        taken = take_any(db, demand)
        if taken is None:
            return NullArray() if demand.target is None else None
        return word_taken(demand, taken)

    return handle


def word_taken(demand: Demand, taken: Taken) -> Reply:
    """Return the reply with what a demand got."""
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


def _first_of(args: list[bytes], kind: int, *, first: bool) -> tuple[Demand, int]:
    *keys, patience = args
    return Demand(0, kind, first, 0, _checked(keys)), _parse_patience(patience)


def _some_of(args: list[bytes], kind: int, front: bytes, back: bytes) -> tuple[Demand, int]:
    patience_ms = _parse_patience(args[0])
    keys, rest = parse_keys(args[1:])
    if not rest or rest[0].upper() not in (front, back):
        raise Error(SYNTAX)
    count = min(parse_count_option(rest[1:]), _MAX_COUNT)
    return Demand(0, kind, rest[0].upper() == front, count, _checked(keys)), patience_ms


def _checked(keys: list[bytes]) -> tuple[bytes, ...]:
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
