"""A client that hears of the events of keys of one server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from kv_client import Client

EVERY = "KEAnm"
"""Events of all classes, under both names."""

BARRIER = b"barrier"


class KeyspaceEvents:
    """Subscribes when it is made."""

    def __init__(self, client: Client) -> None:
        self._client = client
        for words in (("SUBSCRIBE", BARRIER), ("PSUBSCRIBE", "__key*@*__:*")):
            client(*words)
        self._barriers = 0

    def until_now(self, writer: Any) -> list[tuple[bytes, bytes]]:
        """Return channels and messages of all events of what a client has written until now, but for `expired`.

        When a key that has expired is removed is up to a server.
        """
        self._barriers += 1
        mark = b"%d" % self._barriers
        writer("PUBLISH", BARRIER, mark)
        return [each for each in self._until(mark) if each[1] != b"expired" and not each[0].endswith(b":expired")]

    def _until(self, mark: bytes) -> list[tuple[bytes, bytes]]:
        found: list[tuple[bytes, bytes]] = []
        while True:
            reply = self._client.receive()
            if reply[0] == b"pmessage":
                found.append((reply[2], reply[3]))
            elif reply == [b"message", BARRIER, mark]:
                return found

    def next(self, count: int) -> list[tuple[bytes, bytes]]:
        """Return the next events."""
        return [tuple(self._client.receive()[2:]) for _ in range(count)]  # type: ignore[misc]


def wait_told(clients: list[Client], letters: str) -> None:
    """Wait until the workers of all clients have a setting that another one was told."""
    for client in clients:
        wait_until(
            lambda client=client: client("CONFIG", "GET", "notify-keyspace-events")[1] == letters.encode(),
            what=f"{letters} in every worker",
        )
