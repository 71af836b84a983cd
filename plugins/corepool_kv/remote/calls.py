"""Commands of this process itself, on the links that all callers of a worker share: for applications, and for items."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from corepool_kv.remote import gathering
from corepool_kv.remote.kinds import KINDS, Way, kind_of
from corepool_kv.remote.request import Request, encode_request
from corepool_kv.remote.routes import find_way

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corepool import Worker
    from corepool_kv.remote.node import Node
    from corepool_kv.stores.remote_url import RemoteUrl

_LOOK_INTERVAL_S = 1.0


class NotForwardedError(Exception):
    """A command that has state on its connection, or waits, or is not forwarded at all."""


class Calls:
    """The way of commands to the servers, and of replies back. Runs in: the worker's loop.

    Implements `link.Settings`.
    """

    def __init__(self, url: RemoteUrl, worker: Worker, max_reply: int, timeout_s: float) -> None:
        """Begin to connect.

        :param max_reply: bytes.
        :param timeout_s: a server that leaves requests unanswered for so long has failed.
        :raises ValueError: certificates can't be used.
        """
        self.url = url
        self.worker = worker
        self.tls = url.tls_context()
        self.max_reply = max_reply
        self.timeout_s = timeout_s
        self._way = find_way(self)
        self._looking = worker.loop.call_later(_LOOK_INTERVAL_S, self._look)

    def send(self, words: Sequence[bytes], done: Callable[[bytes], None]) -> None:
        """Send a command to the server that has its first key, or to all; `done` gets the reply, encoded for RESP2.

        Commands on one key run in the order of the calls, but while its slot moves to another server. `done` may be
        called before this returns.

        :raises NotForwardedError: the command is not for a link that others share.
        """
        kind = KINDS.get(words[0]) or kind_of(words)
        if kind.way is Way.EVERYWHERE and self._way.is_cluster:
            self._send_everywhere(words, done)
        elif kind.way is Way.SHARED or kind.way is Way.EVERYWHERE:
            key = (words[1] if len(words) > 1 else None) if kind.key is None else kind.key(words)
            self._send(key, encode_request(words), done)
        else:
            raise NotForwardedError

    def close(self) -> None:
        """Close every link; calls that wait get no reply."""
        self._looking.cancel()
        self._way.close()

    def _send(self, key: bytes | None, data: bytes, done: Callable[[bytes], None]) -> None:
        node = self._way.node_of(key)
        if isinstance(node, str):
            if self._way.is_ready(lambda: self._send(key, data, done)):
                done(f"-{node}\r\n".encode())
            return
        link = node.shared(resp3=False, database=self.url.database or 0)
        if isinstance(link, str):
            done(f"-ERR the store has failed: {link}\r\n".encode())
        elif link.is_full:
            link.when_there_is_room(lambda: self._send(key, data, done))
        else:
            link.send(Request(_Caller(done), data))

    def _send_everywhere(self, words: Sequence[bytes], done: Callable[[bytes], None]) -> None:
        nodes = self._way.nodes()
        if nodes:
            gathering.ask(Request(_Caller(done), b""), nodes, words, resp3=False)
        elif self._way.is_ready(lambda: self._send_everywhere(words, done)):
            node = self._way.node_of(None)
            done(f"-{node}\r\n".encode())

    def _look(self) -> None:
        self._looking = self.worker.loop.call_later(_LOOK_INTERVAL_S, self._look)
        self._way.look(time.monotonic())


class _Caller:
    """Implements `request.Asker` and `cluster.Redirected`."""

    def __init__(self, done: Callable[[bytes], None]) -> None:
        self._done = done

    def arrived(self, request: Request) -> None:
        assert request.reply is not None
        self._done(request.reply)

    def sends_again(self, request: Request, node: Node | None, *, asking: bool) -> bool:  # noqa: ARG002
        return True  # a caller waits for one reply on a key at a time, which nothing can overtake
