"""Clients of the control socket that come while its backlog is full."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corepool.cli import client
from corepool.errors import ControlError
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def full(tmp_path: Path) -> Iterator[tuple[Path, socket.socket]]:
    """Yield the path of a socket whose backlog, of one, is full; and the socket."""
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as first:
        listening.bind(str(path))
        listening.listen(0)
        listening.settimeout(60)
        first.connect(str(path))
        yield path, listening


def sleeps(thread: int) -> bool:
    return Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def test_a_client_waits_for_room_in_the_backlog(full: tuple[Path, socket.socket]) -> None:
    path, listening = full
    ids: list[int] = []

    def ask() -> client.Answer:
        ids.append(threading.get_native_id())
        return client.ask(path, "status")

    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(ask)
        wait_until(lambda: answer.done() or (ids and sleeps(ids[0])))
        listening.accept()[0].close()
        with listening.accept()[0] as accepted:
            accepted.recv(1000)
            accepted.sendall(b'{"ok": true, "result": {"as": "asked"}}\n')
        assert answer.result() == ({"as": "asked"}, None)


def test_a_backlog_that_stays_full_is_no_answer(
    full: tuple[Path, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_TIMEOUT_S", 0.01)
    with pytest.raises(ControlError, match="did not answer within"):
        client.ask(full[0], "status")
