"""First bytes that end in the middle: with the last ones, which come while it is looked at, or with a reset."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

import pytest
from layers import Framed, Layered
from three_protocols import Told

from corepool.hot import looking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PEEK = looking.peek


@pytest.fixture
def serve() -> Iterator[Callable[..., Told]]:
    made: list[Told] = []

    def start(**options: Any) -> Told:
        made.append(Told(**options))
        return made[-1]

    yield start
    for each in made:
        each.close()


class Mixed(Layered):
    """Clients whose first bytes are no `once` have layers."""

    takes_plain = True

    def __init__(self) -> None:
        super().__init__(lambda: [Framed()])

    def matches(self, data: bytes) -> bool | None:
        return False if data.startswith(b"once") else None if b"once".startswith(data) else True


def end_during_the_next_look(monkeypatch: pytest.MonkeyPatch, client: socket.socket, rest: bytes) -> None:
    """Have the rest, and the end, arrive just after the bytes before them were looked at."""

    def peek(fd: int, count: int) -> bytes:
        found = _PEEK(fd, count)
        monkeypatch.setattr(looking, "peek", _PEEK)
        client.sendall(rest)
        client.shutdown(socket.SHUT_WR)
        return found

    monkeypatch.setattr(looking, "peek", peek)


@pytest.mark.parametrize("default", [False, True])
def test_the_last_bytes_count_though_they_come_with_the_end(
    serve: Callable[..., Told],
    monkeypatch: pytest.MonkeyPatch,
    default: bool,  # noqa: FBT001
) -> None:
    told = serve(default=default)
    client = told.connect()
    client.sendall(b"on")
    end_during_the_next_look(monkeypatch, client, b"e")

    assert told.receive_end(client) == b"one:one"


def test_the_last_bytes_tell_whether_a_client_has_layers(
    serve: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = serve(transport=Mixed())
    client = told.connect()
    client.sendall(b"o")
    end_during_the_next_look(monkeypatch, client, b"x")

    told.here.turn_until(lambda: not told.here.connections())
    assert told.last.told == [], "it has layers, and ends before they are open"


@pytest.mark.parametrize("mixed", [False, True])
def test_a_client_that_is_reset_is_not_one_that_nothing_matches(
    serve: Callable[..., Told],
    mixed: bool,  # noqa: FBT001
) -> None:
    told = serve(default=False, **({"transport": Mixed()} if mixed else {}))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()
    accepted.setblocking(False)
    told.here.service.take_handed_over(accepted.detach())
    client.sendall(b"on")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()

    told.here.turn_until(lambda: not told.here.connections())
    assert told.count(0, "unmatched") == 0
    assert told.count(0, "closed") == 1
