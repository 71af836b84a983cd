"""The file may change: a valid one is served after a reload, and one with a mistake changes nothing."""

from __future__ import annotations

import socket
from shutil import rmtree
from typing import TYPE_CHECKING

import pytest
from http_client import get
from http_load import Load
from operated import APPLICATION, CONFIG, corepool, reload_by_signal, start, write

from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

FILES = {"application.py": APPLICATION % "one"}
ECHO = """
[[listener]]
name = "echo"
bind = ["unix://{folder}/echo.sock"]
protocol = "echo"
dispatcher = "{dispatcher}"
"""


def configure(running: PoolProcess, more: str = "", **values: object) -> None:
    values = {"workers": 2, "dispatcher": "least-connections", "pool": "", **values}
    (running.directory / "corepool.toml").write_text(CONFIG.format(**values) + more)


def names(running: PoolProcess) -> list[str]:
    return [listener["name"] for listener in running.status()["listeners"]]


def echo(running: PoolProcess) -> bytes:
    with connect(f"unix://{running.directory}/echo.sock") as client:
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        return receive_all(client)


@pytest.mark.parametrize("dispatcher", ["least-connections", "kernel"])
def test_listeners_come_and_go(pool: Pools, dispatcher: str) -> None:
    running = start(pool)
    url = running.urls()
    with Load(running.urls()[0]) as load:
        for _ in range(3):
            configure(running, ECHO.format(dispatcher=dispatcher, folder=running.directory))
            reload_by_signal(running)
            assert names(running) == ["http", "echo"]
            assert echo(running) == b"hello"

            configure(running)
            reload_by_signal(running)
            assert names(running) == ["http"]
            assert not (running.directory / "echo.sock").exists()
    assert load.failures == []
    assert running.urls() == url, "a free port stays the same"


def test_settings_change(pool: Pools) -> None:
    running = start(pool)
    with Load(running.urls()[0]) as load:
        configure(running, 'server = "other"\n', workers=3, dispatcher="kernel")
        reload_by_signal(running)
        assert get(running, "/").header("server") == "other"
        wait_until(lambda: len(running.workers()) == 3)
        assert running.status()["listeners"][0]["dispatcher"] == "kernel"

        configure(running, dispatcher="round-robin")
        reload_by_signal(running)
        assert get(running, "/").header("server") == "corepool"
        wait_until(lambda: len(running.workers()) == 2)
    assert load.failures == []


def test_what_scale_has_chosen_stays(pool: Pools) -> None:
    running = start(pool)
    corepool(running, "scale", "3")
    wait_until(lambda: len(running.workers()) == 3)
    reload_by_signal(running)
    assert len(running.workers()) == 3


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("this is no TOML", "not TOML"),
        ("[[listener]]\nname = 'x'\nbind = ['tcp://127.0.0.1:0']\nprotocol = 'none'\n", "no protocol named 'none'"),
        ("[[listener]]\nname = 'x'\nbind = ['{taken}']\nprotocol = 'echo'\n", "the address is in use"),
        ("[[listener]]\nname = 'x'\nbind = ['unix:/nowhere/x']\nprotocol = 'echo'\n", "can't listen"),
        ("no_such_option = 1\n", "no_such_option"),
    ],
)
def test_a_wrong_file_changes_nothing(pool: Pools, more: str, says: str) -> None:
    running = start(pool)
    pids = running.workers()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        configure(running, more.replace("{taken}", f"tcp://127.0.0.1:{taken.getsockname()[1]}"))
        done = corepool(running, "reload")
    assert done.returncode == 1
    assert says in done.stderr
    assert "nothing was changed" in done.stderr
    assert running.workers() == pids
    assert running.status()["generation"] == 0
    assert names(running) == ["http"]


def test_a_new_listener_of_a_failed_reload_is_closed(pool: Pools) -> None:
    running = start(pool)
    pids = running.workers()
    write(running, "1 // 0\n")
    configure(running, ECHO.format(dispatcher="least-connections", folder=running.directory))
    assert corepool(running, "reload").returncode == 1
    assert running.workers() == pids
    assert names(running) == ["http"]
    assert not (running.directory / "echo.sock").exists()
    assert get(running, "/").body == b"one"

    write(running, APPLICATION % "two")
    assert corepool(running, "reload").returncode == 0
    assert (get(running, "/").body, echo(running)) == (b"two", b"hello")


def test_what_waits_in_a_backlog_survives(pool: Pools) -> None:
    running = start(pool, workers=1, lines="max_connections = 1")
    with connect(running.urls()[0]) as first, connect(running.urls()[0]) as waiting:
        waiting.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        reload_by_signal(running)
        assert receive_all(waiting).endswith(b"one")
        first.close()


@pytest.mark.parametrize(
    "table", ['[process]\nuser = "no-such-user"\npidfile = "{}/gone/pid"\n', '[control]\nsocket = "{}/gone/x/y"\n']
)
def test_tables_that_hold_until_a_restart_are_no_obstacle_to_a_reload(pool: Pools, table: str) -> None:
    logs = "[log]\nfile = 'logs/pool.log'\n"
    running = pool(CONFIG.format(workers=1, dispatcher="kernel", pool="") + logs, files=FILES | {"logs/.keep": ""})
    rmtree(running.directory / "logs")
    (running.directory / "gone").touch()

    configure(running, 'server = "other"\n' + logs + table.replace("{}", str(running.directory)), workers=1)
    done = corepool(running, "reload")

    assert done.returncode == 0, done.stderr
    assert get(running, "/").header("server") == "other"
