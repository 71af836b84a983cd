"""Commands of publish and subscribe."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeVar

from corepool_kv.redis.glob import Glob
from corepool_kv.redis.pubsub import CHANNEL, PATTERN, check_message, check_name
from corepool_kv.redis.replies import Error, Push, Several

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

NameT = TypeVar("NameT", bytes, bytes | None)

_NONE: Sequence[bytes | None] = (None,)


def publish(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    channel, message = args
    check_name(channel)
    check_message(message)
    receivers = server.pubsub.count_receivers(channel)
    server.pubsub.publish(channel, message)
    return receivers


def publish_behind(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    """Publish when the changes before it are committed: a subscriber may go on to read them."""
    channel, message = args
    check_name(channel)
    check_message(message)
    db.at_end.append(functools.partial(server.pubsub.publish, channel, message))
    return server.pubsub.count_receivers(channel)


def subscribe(server: ServerState, session: Session, args: list[bytes]) -> Reply:
    subscriptions = session.subscribed(server.pubsub)
    replies = _each(subscriptions.subscribe, args)
    session.leave_if_unsubscribed()
    return replies


def psubscribe(server: ServerState, session: Session, args: list[bytes]) -> Reply:
    subscriptions = session.subscribed(server.pubsub)
    replies = _each(subscriptions.subscribe_to_pattern, args)
    session.leave_if_unsubscribed()
    return replies


def unsubscribe(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    subscriptions = session.subscriptions
    if subscriptions is None:
        return Several([Push([b"unsubscribe", channel, 0]) for channel in (args or _NONE)])
    replies = _each(subscriptions.unsubscribe, args or list(subscriptions.channels) or _NONE)
    session.leave_if_unsubscribed()
    return replies


def punsubscribe(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    subscriptions = session.subscriptions
    if subscriptions is None:
        return Several([Push([b"punsubscribe", pattern, 0]) for pattern in (args or _NONE)])
    replies = _each(subscriptions.unsubscribe_from_pattern, args or list(subscriptions.patterns) or _NONE)
    session.leave_if_unsubscribed()
    return replies


def channels(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    _refuse_two(args, "channels")
    names = server.pubsub.names(CHANNEL)
    if not args:
        return list(names)
    glob = Glob(args[0])
    return [name for name in names if glob.matches(name)]


def numsub(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return [part for name in args for part in (name, server.pubsub.count(CHANNEL + name))]


def numpat(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return len(server.pubsub.names(PATTERN))


def no_shard(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return [part for name in args for part in (name, 0)]


def shardchannels(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    _refuse_two(args, "shardchannels")
    return []


def _refuse_two(args: list[bytes], name: str) -> None:
    if len(args) > 1:
        raise Error(f"ERR unknown subcommand or wrong number of arguments for '{name}'. Try PUBSUB HELP.")


def _each(call: Callable[[NameT], Reply], names: Sequence[NameT]) -> Reply:
    """Return the replies for names, up to the first that is refused."""
    replies: list[Reply] = []
    try:
        replies.extend(map(call, names))  # keeps those before an exception
    except Error as error:
        replies.append(error)
    return Several(replies)
