"""A store on servers of Redis's protocol: commands are sent on the links that all callers of a worker share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from corepool_kv.application.calls import CommandError
from corepool_kv.remote.kinds import KINDS, Way, kind_of
from corepool_kv.remote.request import Request, encode_request
from corepool_kv.remote.routes import find_way

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool import Worker
    from corepool_kv.application.calls import Done
    from corepool_kv.remote.node import Node
    from corepool_kv.stores.remote_url import RemoteUrl

_LOOK_INTERVAL_S = 1.0


class RemoteDriver:
    """Implements `calls.Driver` and `link.Settings`."""

    def __init__(self, url: RemoteUrl, worker: Worker, max_bytes: int, timeout_s: float) -> None:
        """Begin to connect.

        :param max_bytes: of a reply.
        :param timeout_s: a server that leaves requests unanswered for so long has failed.
        :raises ValueError: certificates can't be used.
        """
        self.url = url
        self.worker = worker
        self.tls = url.tls_context()
        self.max_reply = max_bytes
        self.timeout_s = timeout_s
        self._way = find_way(self)
        self._looking = worker.loop.call_later(_LOOK_INTERVAL_S, self._look)

    def submit(self, words: Sequence[bytes], done: Done) -> None:
        kind = KINDS.get(words[0]) or kind_of(words)
        if kind.way is not Way.SHARED and (kind.way is not Way.EVERYWHERE or self._way.is_cluster):
            name = words[0].decode(errors="replace").lower()
            raise CommandError(f"ERR '{name}' is no command on data alone")
        key = (words[1] if len(words) > 1 else None) if kind.key is None else kind.key(words)
        self._send(key, encode_request(words), done)

    def _send(self, key: bytes | None, data: bytes, done: Done) -> None:
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

    def close(self) -> None:
        self._looking.cancel()
        self._way.close()

    def _look(self) -> None:
        self._looking = self.worker.loop.call_later(_LOOK_INTERVAL_S, self._look)
        self._way.look(time.monotonic())


class _Caller:
    """Implements `request.Asker` and `cluster.Redirected`."""

    def __init__(self, done: Done) -> None:
        self._done = done

    def arrived(self, request: Request) -> None:
        assert request.reply is not None
        self._done(request.reply)

    def sends_again(self, request: Request, node: Node | None, *, asking: bool) -> bool:  # noqa: ARG002
        return True  # a caller waits for one reply at a time, which nothing can overtake
