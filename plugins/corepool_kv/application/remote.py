"""A store on servers of Redis's protocol: commands are sent on the links that all callers of a worker share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.application.calls import CommandError
from corepool_kv.remote.calls import Calls, NotForwardedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool import Worker
    from corepool_kv.application.calls import Done
    from corepool_kv.stores.remote_url import RemoteUrl


class RemoteDriver:
    """Implements `calls.Driver`."""

    def __init__(self, url: RemoteUrl, worker: Worker, max_bytes: int, timeout_s: float) -> None:
        """Begin to connect.

        :param max_bytes: of a reply.
        :param timeout_s: a server that leaves requests unanswered for so long has failed.
        :raises ValueError: certificates can't be used.
        """
        self._calls = Calls(url, worker, max_bytes, timeout_s)

    def submit(self, words: Sequence[bytes], done: Done) -> None:
        try:
            self._calls.send(words, done)
        except NotForwardedError:
            name = words[0].decode(errors="replace").lower()
            raise CommandError(f"ERR '{name}' is no command on data alone") from None

    def close(self) -> None:
        self._calls.close()
