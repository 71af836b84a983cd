"""Commands about the connection itself, which this listener answers without its store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from corepool_kv.redis.lookup import find_command
from corepool_kv.redis.replies import Error, encode, text_of
from corepool_kv.redis.state import ServerState

if TYPE_CHECKING:
    from corepool_kv.redis.replies import Reply
    from corepool_kv.remote.session import RemoteSession

_OF_CLIENT = (b"id", b"getname", b"setname", b"setinfo", b"info", b"list", b"no-evict", b"no-touch", b"help")
"""The others would be about the link to the server, which is of many clients."""
_BEFORE_AUTH = (b"auth", b"hello", b"quit", b"reset")


class State:
    """What those commands need of the listener."""

    redis_version = ServerState.redis_version

    def __init__(self, password: bytes, *, allows_select: bool) -> None:
        """Begin without clients.

        :param password: that of this listener.
        :param allows_select: clients choose among the databases of the server.
        """
        self.password = password
        self.allows_select = allows_select
        self.sessions: dict[int, RemoteSession] = {}


class Answering(Protocol):
    """The server, as it is used here."""

    state: State

    def answer(self, session: RemoteSession, reply: bytes) -> None:
        """Send a reply behind those that come first."""

    def keep(self, session: RemoteSession, words: list[bytes]) -> None:
        """Keep a request until those before it are answered."""


def serve(server: Answering, session: RemoteSession, words: list[bytes]) -> None:
    """Answer a request."""
    name = words[0].lower()
    try:
        _check(server, session, name)
        if name in (b"hello", b"select", b"reset", b"quit") and session.requests and not session.is_piped:
            server.keep(session, words)  # what it changes is not for those before it
            return
        reply = _run(server, session, words)
    except Error as error:
        session.queue_is_broken = session.queue_is_broken or session.in_multi or session.multi_is_due
        reply = error
    server.answer(session, encode(reply, session.resp3))


def _check(server: Answering, session: RemoteSession, name: bytes) -> None:
    if not session.authenticated and name not in _BEFORE_AUTH:
        raise Error("NOAUTH Authentication required.")
    if name in (b"quit", b"reset"):
        return
    if session.in_multi or session.multi_is_due:
        raise Error(f"ERR '{name.decode()}' is not allowed inside a transaction on this store")
    if session.is_piped and (name in (b"select", b"hello") or not session.resp3):
        raise Error(f"ERR Can't execute '{name.decode()}' while the connection has subscriptions")
    if session.is_watching and name in (b"select", b"hello"):  # its link goes on as it has begun
        raise Error(f"ERR '{name.decode()}' is not allowed while keys are watched on this store")
    if name == b"select" and not server.state.allows_select:
        raise Error("ERR SELECT is not allowed: this store is one database")


def _run(server: Answering, session: RemoteSession, words: list[bytes]) -> Reply:
    if words[0].lower() == b"client" and len(words) > 1 and words[1].lower() not in _OF_CLIENT:
        raise Error(f"ERR 'client|{text_of(words[1].lower())}' is not forwarded to the server of this store")
    command = find_command(words)
    if command.name in (b"reset", b"quit"):
        session.drop_own()
    assert command.on_session is not None
    # Those commands look at the password, the version and the sessions alone, which `State` has, too.
    return command.on_session(cast("ServerState", server.state), session, words[command.words :])
