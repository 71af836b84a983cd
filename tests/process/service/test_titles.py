"""The titles of processes in ps(1)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from insider import config, evaluate, files

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

BEATS_OFTEN = 'heartbeat_timeout = "2s"'


def title_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()


def test_titles_tell_masters_from_workers_and_count(pool: Pools) -> None:
    running = pool(config(pool=BEATS_OFTEN, workers=2), files=files())
    workers = running.workers()
    wait_until(lambda: title_of(running.pid) == "corepool: master [insider] 2 workers")
    wait_until(lambda: [title_of(pid) for pid in workers] == [f"corepool: worker {i} [0 connections]" for i in (0, 1)])

    clients = [running.connect() for _ in range(3)]
    wait_until(
        lambda: sorted(title_of(pid).partition("[")[2] for pid in workers) == ["1 connection]", "2 connections]"]
    )
    for client in clients:
        client.close()
    wait_until(lambda: [title_of(pid) for pid in workers] == [f"corepool: worker {i} [0 connections]" for i in (0, 1)])


def test_the_masters_title_follows_the_number_of_workers(pool: Pools) -> None:
    running = pool(config('name = "shop"', pool=BEATS_OFTEN), files=files())
    wait_until(lambda: title_of(running.pid) == "corepool: master [shop] 1 worker")
    assert running.request("scale", workers=3)["ok"]

    wait_until(lambda: title_of(running.pid) == "corepool: master [shop] 3 workers")


def test_a_title_costs_the_application_none_of_its_environment(pool: Pools) -> None:
    """The title is written over the memory where the environment was."""
    running = pool(config(), files=files(), environment={"PRECIOUS": "x" * 2000})

    assert evaluate(running, "len(os.environ['PRECIOUS'])") == 2000
    assert evaluate(running, "__import__('subprocess').check_output(['printenv', 'PRECIOUS'])") == b"x" * 2000 + b"\n"
