"""`access`: who may connect. Real pools, and clients from several loopback addresses."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from extension_client import config, connect_from, is_served, serves, unix_url, witness_files

from corepool.testing.sockets import connect, receive_all, reset
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pools import Pools

ALLOW_ONE = 'access\nallow = ["127.0.0.2"]'
DENY_ONE = 'access\ndeny = ["127.0.0.2"]'


@pytest.mark.parametrize(
    ("rules", "served", "refused"),
    [
        ('allow = ["127.0.0.2"]', ["127.0.0.2"], ["127.0.0.1", "127.0.0.3"]),
        ('deny = ["127.0.0.2/31"]', ["127.0.0.1", "127.0.0.4"], ["127.0.0.2", "127.0.0.3"]),
        ('allow = ["127.0.0.0/8"]\ndeny = ["127.0.0.2"]', ["127.0.0.1"], ["127.0.0.2"]),
        ('allow = ["unix", "::/0"]', [], ["127.0.0.1"]),
    ],
)
@pytest.mark.parametrize("dispatcher", ["round-robin", "kernel"])
def test_addresses_decide(pool: Pools, rules: str, served: list[str], refused: list[str], dispatcher: str) -> None:
    url = pool(config(f"access\n{rules}", listener=f'dispatcher = "{dispatcher}"')).urls()[0]

    assert {source for source in (*served, *refused) if serves(url, source)} == {*served}


def test_the_protocol_never_learns_of_who_was_refused(pool: Pools) -> None:
    running = pool(config(ALLOW_ONE, protocol="witness"), files=witness_files())
    url = running.urls()[0]
    assert not serves(url, "127.0.0.3")
    assert serves(url, "127.0.0.2")
    seen = running.directory / "seen.txt"
    wait_until(lambda: "close" in seen.read_text())

    assert seen.read_text().splitlines() == ["accept 127.0.0.2", "read b'hello\\n'", "read b''", "close eof"]


def test_who_sends_and_resets_before_anyone_looks_is_not_served(pool: Pools) -> None:
    """getpeername(2) knows no peer then, but read(2) would still give what it had sent."""
    running = pool(config(DENY_ONE, protocol="witness"), files=witness_files())
    url, worker = running.urls()[0], running.workers()[0]
    os.kill(worker, signal.SIGSTOP)
    with connect_from(url, "127.0.0.2") as client:
        client.sendall(b"delete everything\n")
        reset(client)
    os.kill(worker, signal.SIGCONT)

    assert serves(url, "127.0.0.1")
    assert "delete" not in (running.directory / "seen.txt").read_text()
    running.wait_logged("extension=access")


@pytest.mark.parametrize("protocol", ["http", "kv"])
def test_a_refusal_is_no_error_of_the_protocol(pool: Pools, protocol: str) -> None:
    options = 'options = { target = "corepool_http.welcome:app" }' if protocol == "http" else ""
    running = pool(config(ALLOW_ONE, protocol=protocol, listener=options))
    with connect(running.urls()[0]) as client:
        assert receive_all(client) == b""
    wait_until(lambda: running.status()["totals"]["closed"] == 1)

    assert "hook_failed" not in running.stderr


@pytest.mark.parametrize(("rules", "is_open"), [('allow = ["unix"]', True), ('deny = ["unix"]', False)])
def test_unix_clients_have_a_word_of_their_own(pool: Pools, rules: str, is_open: bool) -> None:  # noqa: FBT001
    url = unix_url()
    pool(config(f"access\n{rules}", bind=url))

    assert serves(url) is is_open


def test_a_unix_client_cannot_choose_a_name_that_lets_it_in(
    pool: Pools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = unix_url()
    pool(config('access\nallow = ["10.0.0.1"]', bind=url))
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as client:
        client.bind("10.0.0.1")
        client.settimeout(DEADLINE_S)
        client.connect("\0" + url.removeprefix("unix:@"))

        assert not is_served(client)


def test_refusals_are_counted_and_said_in_few_lines(pool: Pools) -> None:
    running = pool(config(ALLOW_ONE))
    url = running.urls()[0]
    for _ in range(50):
        assert not serves(url)
    running.stop()

    lines = [line for line in running.stderr.splitlines() if "connections_refused" in line]
    assert len(lines) <= 4  # at once, once a period, at the end
    assert 'reasons="not_allowed=1" total=1 last_peer=127.0.0.1:' in lines[0]
    assert "total=50 " in lines[-1]
    assert "listener=front extension=access" in lines[-1]


@pytest.mark.parametrize(
    ("options", "mistakes"),
    [
        (
            'access = { allow = ["10.0.0.0/8", "10.1.2.3/8", "hosts"], deny = ["::/129", 5] }',
            [
                'access.allow[1] = "10.1.2.3/8": bits are set beyond the prefix; the network is "10.0.0.0/8"',
                'access.allow[2] = "hosts": expected a network such as "10.0.0.0/8" or "2001:db8::/32", or "unix"',
                'access.deny[0] = "::/129": expected a network such as',
                "access.deny[1] = 5: expected a network such as",
            ],
        ),
        ("access = {}", ["access: either `allow` or `deny` is needed"]),
        ("access = { allow = [] }", ["access.allow = []: expected at least 1 item"]),
        ("limits = {}", ["limits: at least one of `per_peer`, `rate` and `total` is needed"]),
        ("limits = { burst = 3, total = 5 }", ["limits: `burst` has no meaning without `rate`"]),
        ("limits = { per_peer = 0, rate = -1 }", ["limits.per_peer = 0: expected", "limits.rate = -1: expected"]),
        ("accesslog = { format = 'xml' }", ['accesslog.format = "xml": expected "text" or "json"']),
    ],
)
def test_check_finds_every_mistake_of_the_options(tmp_path: Path, options: str, mistakes: list[str]) -> None:
    name = options.partition(" ")[0]
    (tmp_path / "corepool.toml").write_text(config(name, listener=f"extension_options.{options}"))
    command = [sys.executable, "-m", "corepool", "check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603

    assert done.returncode == 2
    found = [re.sub(r"^corepool\.toml:\d+: ", "", line) for line in done.stderr.splitlines()[1:]]
    assert len(found) == len(mistakes), done.stderr
    for line, expected in zip(sorted(found), sorted(mistakes), strict=True):
        assert line.startswith(f"listener[0].extension_options.{expected}")
