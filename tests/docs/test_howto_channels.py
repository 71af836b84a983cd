"""docs/howto/channels.md is true: each of its applications, on four workers, with a client in each."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psutil
import pytest
from documents import DOCS, blocks
from websockets.sync.client import connect as connect_websocket

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

PAGE = {block.file: block.text for block in blocks(DOCS / "howto" / "channels.md") if block.file}
SOCKETIO = "socket.io/?EIO=4&transport=websocket"


def served(pool: Pools, module: str) -> PoolProcess:
    bind = "tcp://127.0.0.1:0"
    return pool.serve(
        "http", f"{module}:app", "-b", bind, "--workers", "4", files={f"{module}.py": PAGE[f"{module}.py"]}
    )


def connections_of_workers(running: PoolProcess) -> set[int]:
    return {worker["connections"] for worker in running.status()["workers"]}


@pytest.mark.parametrize(("module", "path"), [("rooms", ""), ("broadcast", ""), ("live", SOCKETIO)])
def test_a_line_reaches_the_clients_of_all_workers(pool: Pools, module: str, path: str) -> None:
    running = served(pool, module)
    url = running.urls()[0].replace("tcp:", "ws:")
    with ExitStack() as stack:
        clients = [stack.enter_context(connect_websocket(f"{url}/{path}", open_timeout=300)) for _ in range(8)]
        if module == "live":
            for client in clients:
                assert str(client.recv(timeout=300)).startswith("0{")
                client.send("40")
                assert str(client.recv(timeout=300)).startswith("40{")
        wait_until(lambda: connections_of_workers(running) == {2}, what="the dispatcher evens them out")
        for number, client in enumerate(clients):
            text = json.dumps(f"line {number}")
            client.send(f'42["say",{text}]' if module == "live" else text)
            said = f'42["said",{text}]' if module == "live" else text
            assert [each.recv(timeout=300) for each in clients] == [said] * 8
    assert len(psutil.Process(running.pid).children()) == 4, "workers, and no other process"
