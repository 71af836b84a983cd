"""Commands of publish and subscribe."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from corepool_kv.redis.glob import Glob
from corepool_kv.redis.pubsub import CHANNEL, PATTERN, SHARD, check_message, check_name
from corepool_kv.redis.replies import Error, Several
from corepool_kv.redis.subscription_changes import SubscriptionChanges

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState


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


def spublish(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    channel, message = args
    check_name(channel)
    check_message(message)
    receivers = server.pubsub.count(SHARD + channel)
    server.pubsub.publish_to_shard(channel, message)
    return receivers


def spublish_behind(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    """Do so when the changes before it are committed."""
    channel, message = args
    check_name(channel)
    check_message(message)
    db.at_end.append(functools.partial(server.pubsub.publish_to_shard, channel, message))
    return server.pubsub.count(SHARD + channel)


class Subscribing:
    """A command that changes the subscriptions of its client."""

    def __init__(self, kind: bytes, *, ends: bool) -> None:
        """Choose one.

        :param kind: CHANNEL, PATTERN or SHARD.
        :param ends: it ends subscriptions.
        """
        self._kind = kind
        self._ends = ends

    def at_once(self, server: ServerState, session: Session, args: list[bytes]) -> Reply:
        """Run it. Runs in: the loop's thread."""
        changes = SubscriptionChanges(server.pubsub, session.subscriptions)
        replies = self._run(changes, args)
        session.change_subscriptions(server.pubsub, changes)
        return replies

    def at_end(self, server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:
        """Run it in a transaction, behind others of the same client: it happens when that is committed."""
        changes = session.changes
        if changes is None:
            changes = session.changes = SubscriptionChanges(server.pubsub, session.subscriptions)
            db.at_end.append(functools.partial(_happen, server, session, changes))
        return self._run(changes, args)

    def _run(self, changes: SubscriptionChanges, args: list[bytes]) -> Reply:
        return Several((changes.unsubscribe if self._ends else changes.subscribe)(self._kind, args))


def _happen(server: ServerState, session: Session, changes: SubscriptionChanges) -> None:
    session.changes = None
    if session.ending:
        return
    try:
        session.change_subscriptions(server.pubsub, changes)
    except Error:  # the client has been told otherwise already
        session.conn.abort()


def channels(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return _list(server, args, CHANNEL, "channels")


def numsub(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return [part for name in args for part in (name, server.pubsub.count(CHANNEL + name))]


def numpat(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return len(server.pubsub.names(PATTERN))


def shardnumsub(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return [part for name in args for part in (name, server.pubsub.count(SHARD + name))]


def shardchannels(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return _list(server, args, SHARD, "shardchannels")


def _list(server: ServerState, args: list[bytes], kind: bytes, subcommand: str) -> Reply:
    if len(args) > 1:
        raise Error(f"ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try PUBSUB HELP.")
    names = server.pubsub.names(kind)
    if not args:
        return list(names)
    glob = Glob(args[0])
    return [name for name in names if glob.matches(name)]
