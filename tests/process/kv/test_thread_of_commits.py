"""The thread of commits is there before the first write, which would be lost if the system had none left then."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NoReturn

import psutil
import pytest
from kv_client import Client, kv_toml

from corepool_kv.engine.commit_thread import start_commit_thread
from corepool_kv.stores import StoreError

if TYPE_CHECKING:
    from corepool.testing.pools import Pools


def test_the_first_write_starts_no_thread(pool: Pools) -> None:
    running = pool(kv_toml(workers=1, store="lmdb:data.mdb", durability="always"))
    worker = psutil.Process(running.workers()[0])
    before = worker.num_threads()
    with running.connect() as sock:
        assert Client(sock)("SET", "a", "1") == b"OK"

    assert worker.num_threads() == before


def test_a_worker_without_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(StoreError, match="no thread for its commits"):
        start_commit_thread()
