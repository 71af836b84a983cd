"""Sockets that somebody else has bound: systemd, or whoever starts the pool."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from corepool import Endpoint
from corepool.testing.waiting import wait_until
from corepool_fd import Inherited, Systemd

if TYPE_CHECKING:
    from tests.conftest import Pools

ACTIVATE = """
import os, socket, sys
count, names, *command = sys.argv[1:]
for number in range(int(count)):
    if number % 2:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind("inherited.sock")
    else:
        sock = socket.create_server(("127.0.0.1", 0))
    sock.listen()
    os.dup2(sock.fileno(), 3 + number + 10)
    sock.close()
for number in range(int(count)):
    os.dup2(3 + number + 10, 3 + number)
    os.close(3 + number + 10)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=count, LISTEN_FDNAMES=names)
os.execvp(command[0], command)
"""
CONFIG = """
[pool]
workers = 2
[[listener]]
name = "echo"
bind = {bind}
protocol = "echo"
dispatcher = "{dispatcher}"
"""


@pytest.mark.parametrize("dispatcher", ["least-connections", "kernel"])
@pytest.mark.parametrize(
    ("bind", "names"),
    [
        (["fd://3", "fd://4"], ""),
        (["systemd://one", "systemd://two"], "one:two"),
    ],
)
def test_inherited_sockets_are_served(pool: Pools, bind: list[str], names: str, dispatcher: str) -> None:
    wrapper = (sys.executable, "-c", ACTIVATE, str(len(bind)), names)
    running = pool(CONFIG.format(bind=bind, dispatcher=dispatcher).replace("'", '"'), wrapper=wrapper)
    urls = running.urls()
    assert [url.partition(":")[0] for url in urls] == ["tcp", "unix"]
    for _ in range(2):
        with running.connect() as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
        running.send_signal(1)
        wait_until(lambda: running.status()["reload"]["state"] == "done")
    assert running.urls() == urls
    running.stop()
    assert (running.directory / "inherited.sock").exists(), "it is not ours to remove"


def test_what_was_not_passed_is_said(pool: Pools) -> None:
    running = pool(CONFIG.format(bind='["systemd://x", "fd://77"]', dispatcher="kernel"), wait=False, exit_status=2)
    running.wait()
    assert "systemd has passed no sockets to this process" in running.stderr
    assert "descriptor 77 is no socket" in running.stderr

    wrapper = (sys.executable, "-c", ACTIVATE, "1", "http")
    toml = CONFIG.format(bind='["systemd://other"]', dispatcher="kernel")
    running = pool(toml, wrapper=wrapper, wait=False, exit_status=2)
    running.wait()
    assert "no (further) socket named 'other'; it has passed: http" in running.stderr


def test_wrong_urls_are_refused() -> None:
    for url in ("fd://", "fd://x", "fd://3/x", "fd://3:4"):
        with pytest.raises(ValueError, match="expected fd://N"):
            Inherited().check(Endpoint.parse(url))
    with pytest.raises(ValueError, match="expected systemd://NAME"):
        Systemd().check(Endpoint.parse("systemd://a/b"))
