"""Requests that need a link of their client's own: transactions, commands that wait, channels.

Such a link is taken when all earlier requests of the client are answered, and given back when the server has no state
of the client any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from corepool_kv.remote.kinds import Way
from corepool_kv.remote.request import Request, encode_request

if TYPE_CHECKING:
    from corepool_kv.remote.kinds import Kind
    from corepool_kv.remote.link import Link
    from corepool_kv.remote.node import Node
    from corepool_kv.remote.routes import Way as Route
    from corepool_kv.remote.session import RemoteSession

WAYS = frozenset((Way.TRANSACTION, Way.BLOCKING, Way.CHANNELS))

_ABORTED = b"-EXECABORT Transaction discarded because of previous errors.\r\n"


class Forwarding(Protocol):
    """The server, as it is used here."""

    way: Route

    def answer(self, session: RemoteSession, reply: bytes) -> None:
        """Send a reply behind those that come first."""

    def keep(self, session: RemoteSession, words: list[bytes]) -> None:
        """Keep a request until those before it are answered."""

    def forward(self, session: RemoteSession, words: list[bytes], kind: Kind) -> None:
        """Send a request on a link that all clients share."""

    def database_of(self, session: RemoteSession) -> int:
        """Return the number that the server has for a client's database."""


def serve(server: Forwarding, session: RemoteSession, words: list[bytes], kind: Kind) -> None:
    """Serve a request of a client that has its own link, or needs one."""
    if session.is_piped:
        _serve_piped(server, session, words, kind)
    elif session.multi_is_due:
        _serve_due(server, session, words, kind)
    elif session.in_multi:
        _serve_in_multi(server, session, words, kind)
    elif kind.way is Way.SHARED or kind.way is Way.EVERYWHERE:
        if session.is_watching:
            # On its own link it would be as good; but that goes to one server of a cluster alone.
            server.forward(session, words, kind)
        else:
            server.keep(session, words)  # a command that waits is before it
    elif session.requests:
        server.keep(session, words)
    elif kind.way is Way.TRANSACTION:
        _serve_transaction(server, session, words, kind)
    else:
        _serve_alone(server, session, words, kind)


def _serve_piped(server: Forwarding, session: RemoteSession, words: list[bytes], kind: Kind) -> None:
    assert session.own is not None
    if not session.resp3 or kind.way is Way.CHANNELS:
        session.own.write(encode_request(words))
    elif kind.way in WAYS:
        server.answer(session, b"-ERR not on a connection with subscriptions to this store; use another one\r\n")
    else:
        server.forward(session, words, kind)


def _serve_alone(server: Forwarding, session: RemoteSession, words: list[bytes], kind: Kind) -> None:
    key = (words[1] if len(words) > 1 else None) if kind.key is None else kind.key(words)
    link = session.own or _take(server, session, words, key)
    if link is None:
        return
    if kind.way is Way.CHANNELS:
        session.pipe()
        session.settle()
        link.write(encode_request(words))
    else:
        session.is_blocked = True
        _send(session, link, words)


def _serve_transaction(server: Forwarding, session: RemoteSession, words: list[bytes], kind: Kind) -> None:
    name = words[0].lower()
    if name == b"watch" and len(words) > 1:
        link = session.own or _take(server, session, words, words[1])
        if link is not None:
            session.is_watching = True
            _send(session, link, words)
        return
    if name == b"multi" and len(words) == 1:
        if session.own is None:
            session.multi_is_due = True
            server.answer(session, b"+OK\r\n")
            return
        session.in_multi = True
    elif name == b"unwatch" and session.own is not None:
        session.is_watching = False
    if session.own is not None:
        _send(session, session.own, words)
    elif name == b"unwatch" and len(words) == 1:
        server.answer(session, b"+OK\r\n")
    else:
        server.forward(session, words, kind)  # without MULTI before it, or with too many words: the server says so


def _serve_due(server: Forwarding, session: RemoteSession, words: list[bytes], kind: Kind) -> None:
    """Serve a request behind MULTI, before any has told which server the transaction is for."""
    name = words[0].lower()
    if name == b"exec" and session.queue_is_broken:
        session.multi_is_due = session.queue_is_broken = False
        server.answer(session, _ABORTED)
    elif name in (b"exec", b"discard") and len(words) == 1:
        session.multi_is_due = session.queue_is_broken = False
        server.answer(session, b"*0\r\n" if name == b"exec" else b"+OK\r\n")
    else:
        key = (words[1] if len(words) > 1 else None) if kind.key is None else kind.key(words)
        link = _take(server, session, words, key)
        if link is None:
            session.queue_is_broken = session.queue_is_broken or session.kept is None
            return
        session.multi_is_due = False
        session.in_multi = True
        link.send_silently(b"MULTI")
        _serve_in_multi(server, session, words, kind)


def _serve_in_multi(server: Forwarding, session: RemoteSession, words: list[bytes], kind: Kind) -> None:
    assert session.own is not None
    name = words[0].lower()
    if kind.way is Way.CHANNELS:
        session.queue_is_broken = True
        server.answer(session, b"-ERR Command not allowed inside a transaction\r\n")
    elif name in (b"exec", b"discard") and len(words) == 1:
        is_broken = session.queue_is_broken and name == b"exec"
        session.in_multi = session.is_watching = session.queue_is_broken = False
        request = _send(session, session.own, [b"DISCARD"] if is_broken else words)
        if is_broken:
            request.rewrite = _as_aborted
    else:
        _send(session, session.own, words)


def _as_aborted(reply: bytes) -> bytes:
    return _ABORTED if reply[:1] == b"+" else reply


def _take(server: Forwarding, session: RemoteSession, words: list[bytes], key: bytes | None) -> Link | None:
    """Return a link of the client's own; None: the request is kept, or it was answered with an error."""
    node: Node | str = server.way.node_of(key)
    if isinstance(node, str):
        if server.way.is_ready(session.on_reply_or_room):
            server.answer(session, f"-{node}\r\n".encode())
        else:
            server.keep(session, words)
        return None
    link = node.take_own(resp3=session.resp3, database=server.database_of(session))
    if isinstance(link, str):
        server.answer(session, f"-ERR the store has failed: {link}\r\n".encode())
        return None
    session.take_own(node, link)
    session.settle()
    return link


def _send(session: RemoteSession, link: Link, words: list[bytes]) -> Request:
    request = Request(session, encode_request(words))
    request.is_own = True
    session.add(request)
    link.send(request)
    return request
