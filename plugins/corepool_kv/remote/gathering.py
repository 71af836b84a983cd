"""Requests without a key that all primaries of a cluster have to answer: one reply is made of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from corepool_kv.remote.kinds import Way
from corepool_kv.remote.request import Request, encode_request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corepool_kv.remote.kinds import Kind
    from corepool_kv.remote.node import Node
    from corepool_kv.remote.routes import Way as Route
    from corepool_kv.remote.session import RemoteSession


class Gathering(Protocol):
    """The server, as it is used here."""

    way: Route

    def answer(self, session: RemoteSession, reply: bytes) -> None:
        """Send a reply behind those that come first."""


def serve(server: Gathering, session: RemoteSession, words: list[bytes], kind: Kind) -> bool:
    """Serve a request that all primaries have to answer, or SCAN; return False if it is none."""
    if kind.way is Way.EVERYWHERE:
        nodes = server.way.nodes()
        if not nodes:
            return False
        whole = Request(session, encode_request(words))
        session.add(whole)
        ask(whole, nodes, words, resp3=session.resp3)
        return True
    if words[0].upper() == b"SCAN" and len(words) > 1 and words[1].isdigit():
        nodes = server.way.nodes()
        if not nodes:
            return False
        inner, place = divmod(int(words[1]), len(nodes))

        def outer(replies: list[bytes]) -> bytes:
            return _with_cursor(replies[0], place, len(nodes))

        whole = Request(session, encode_request(words))
        session.add(whole)
        _ask(whole, [nodes[place]], [words[0], b"%d" % inner, *words[2:]], outer, resp3=session.resp3)
        return True
    return False


def ask(whole: Request, nodes: list[Node], words: Sequence[bytes], *, resp3: bool) -> None:
    """Send a command to servers; `whole` is answered with one reply that is made of theirs, or with an error of one."""
    _ask(whole, nodes, words, _MERGES.get(words[0].lower(), _first), resp3=resp3)


class _Gathered:
    """The asker of each server. Implements `Asker`."""

    def __init__(self, whole: Request, number: int, merge: Callable[[list[bytes]], bytes]) -> None:
        self._whole = whole
        self._number = number
        self._merge = merge
        self._replies: list[bytes] = []

    def arrived(self, request: Request) -> None:
        assert request.reply is not None
        self._replies.append(request.reply)
        if len(self._replies) == self._number:
            errors = [each for each in self._replies if each[:1] == b"-"]
            self._whole.answer(errors[0] if errors else self._merge(self._replies))


def _ask(
    whole: Request, nodes: list[Node], words: Sequence[bytes], merge: Callable[[list[bytes]], bytes], *, resp3: bool
) -> None:
    data = encode_request(words)
    asker = _Gathered(whole, len(nodes), merge)
    for node in nodes:
        request = Request(asker, data)
        link = node.shared(resp3=resp3, database=0)
        if isinstance(link, str):
            request.answer(f"-ERR the store has failed: {link}\r\n".encode())
        else:
            link.send(request)


def _first(replies: list[bytes]) -> bytes:
    return replies[0]


def _sum(replies: list[bytes]) -> bytes:
    return b":%d\r\n" % sum(int(each[1:-2]) for each in replies)


def _joined(replies: list[bytes]) -> bytes:
    parts = [each.partition(b"\r\n") for each in replies]
    return b"*%d\r\n" % sum(int(head[1:]) for head, _, _ in parts) + b"".join([items for _, _, items in parts])


def _with_cursor(reply: bytes, place: int, servers: int) -> bytes:
    """Return a reply to SCAN whose cursor names the server, too: the next one, when this one is done."""
    head, _, rest = reply.partition(b"\r\n")
    if head != b"*2":
        return reply
    _, _, rest = rest.partition(b"\r\n")
    inner, _, keys = rest.partition(b"\r\n")
    following = (place + 1) % servers  # 0 ends it, and has the same meaning for the first server
    cursor = int(inner) * servers + place if inner != b"0" else following
    text = b"%d" % cursor
    return b"*2\r\n$%d\r\n%b\r\n%b" % (len(text), text, keys)


_MERGES = {b"dbsize": _sum, b"keys": _joined}
