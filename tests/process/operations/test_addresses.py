"""Addresses over reloads and upgrades: those that stay bound, those that change in place, and those refused."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from operated import corepool

from corepool.testing.sockets import connect, receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools


def configure(running: PoolProcess, toml: str) -> None:
    (running.directory / "corepool.toml").write_text(toml)


def echo(*listeners: tuple[str, str]) -> str:
    toml = '[[listener]]\nname = "{}"\nbind = ["{}"]\nprotocol = "echo"\n'
    return "[pool]\nworkers = 1\n" + "".join(toml.format(*each) for each in listeners)


@pytest.mark.parametrize("command", ["reload", "upgrade"])
def test_a_socket_file_gets_another_mode_and_stays_the_same(pool: Pools, tmp_path: Path, command: str) -> None:
    path = tmp_path / "x.sock"
    running = pool(echo(("a", f"unix://{path}?mode=0600")))
    before = path.stat()
    with connect(f"unix://{path}") as client:
        configure(running, echo(("a", f"unix://{path}?mode=0660"), ("b", "tcp://127.0.0.1:0")))
        assert corepool(running, command).returncode == 0
        client.sendall(b"hello")
        assert receive_exactly(client, 5) == b"hello"
    assert (path.stat().st_ino, stat.S_IMODE(path.stat().st_mode)) == (before.st_ino, 0o660)
    assert corepool(running, "stop").returncode == 0
    wait_until(lambda: not running.left_over())
    assert not path.exists()


def test_a_reload_that_fails_leaves_a_socket_file_its_mode(pool: Pools, tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    running = pool(echo(("a", f"unix://{path}?mode=0600")), traceback=True)
    broken = '[[listener]]\nname = "b"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "http"\n'
    broken += 'options = { target = "no:app" }\n'
    configure(running, echo(("a", f"unix://{path}?mode=0660")) + broken)
    assert corepool(running, "reload").returncode == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    running.stop()
    assert not path.exists()


def test_a_listener_keeps_its_port_when_another_one_goes(pool: Pools) -> None:
    free = "tcp://127.0.0.1:0"
    running = pool(echo(("a", free), ("b", free)))
    url = running.urls("b")
    for command, listeners in (("reload", [("b", free)]), ("upgrade", [("c", free), ("b", free)])):
        configure(running, echo(*listeners))
        assert corepool(running, command).returncode == 0
        assert running.urls("b") == url
    assert corepool(running, "stop").returncode == 0
    wait_until(lambda: not running.left_over())


def test_an_address_that_is_the_pools_own_is_called_so(pool: Pools) -> None:
    running = pool(echo(("a", "tcp://127.0.0.1:0")))
    (url,) = running.urls()
    configure(running, echo(("a", url.replace("127.0.0.1", "0.0.0.0"))))
    refused = corepool(running, "reload")
    assert refused.returncode == 1
    assert f"this pool itself listens on {url}, and can't change that address while it runs" in refused.stderr
