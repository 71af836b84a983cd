"""New certificates while clients are connected and others come: no connection is closed, no worker is replaced."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psutil
import pytest
from https import Client, Files, der, https_toml, named, presented
from operated import corepool

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

OPEN_FOLDER = ("sh", "-c", 'chmod 755 . && exec "$@"', "sh")


def presents(running: PoolProcess, name: str) -> bool:
    return presented(running) == {der(named(name))}


def renew(running: PoolProcess) -> None:
    done = corepool(running, "renew")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("dispatcher", ["round-robin", "kernel"])
def test_new_connections_get_the_new_certificate_and_open_ones_go_on(
    pool: Pools, tmp_path: Path, dispatcher: str
) -> None:
    files = Files.of(tmp_path, "one.example")
    running = pool(https_toml(files, dispatcher=dispatcher))
    pids = running.workers()
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(running)) for _ in range(8)]
        assert {client.get().status for client in clients} == {200}

        files.replace(named("two.example"))
        renew(running)

        assert presented(running, 12) == {der(named("two.example"))}
        assert {client.get().status for client in clients} == {200}, "nothing was closed"
        assert {client.certificate for client in clients} == {der(named("one.example"))}
        with Client(running, resume=clients[0]) as again:
            assert again.get().status == 200
            assert again.socket.session_reused, "sessions of before are resumed"
    assert running.workers() == pids
    [certificate] = running.status()["renewal"]["certificates"]
    assert certificate["names"] == ["localhost", "127.0.0.1", "two.example"]


def test_files_are_looked_at_without_being_told(pool: Pools, tmp_path: Path) -> None:
    files = Files.of(tmp_path, "one.example")
    running = pool(https_toml(files, workers=2))
    files.replace(named("two.example"))
    wait_until(lambda: presents(running, "two.example"))


def test_links_that_certbot_replaces_are_followed(pool: Pools, tmp_path: Path) -> None:
    live = tmp_path / "live"
    live.mkdir()
    files = Files(live / "fullchain.pem", live / "privkey.pem")

    def issue(number: int, name: str) -> None:
        made = named(name).write(tmp_path / "archive", f"{number}")
        for link, target in zip(files, made, strict=True):
            (live / "new").symlink_to(target)
            (live / "new").rename(link)

    issue(1, "one.example")
    running = pool(https_toml(files, workers=2))
    issue(2, "two.example")
    renew(running)
    assert presents(running, "two.example")


@pytest.mark.parametrize("how", ["another key", "no file", "cut short"])
def test_a_broken_pair_is_told_and_the_old_one_stays_until_it_is_whole(pool: Pools, tmp_path: Path, how: str) -> None:
    files = Files.of(tmp_path, "one.example")
    running = pool(https_toml(files, workers=2))
    pids = running.workers()
    new = named("two.example")
    if how == "another key":
        files.cert.write_bytes(new.certificate)
    elif how == "no file":
        files.key.unlink()
    else:
        files.cert.write_bytes(new.certificate[:100])

    for command in ("renew", "reload"):
        done = corepool(running, command)
        assert done.returncode == 1
        assert str(files.key if how != "cut short" else files.cert) in done.stderr
    [failure] = running.status()["renewal"]["failures"]
    assert str(tmp_path) in failure["reason"]
    wait_until(lambda: "transport_not_renewed" in running.stderr)
    assert presents(running, "one.example")

    files.key.touch(0o600)
    files.replace(new)
    renew(running)
    assert presents(running, "two.example")
    assert running.status()["renewal"]["failures"] == []
    assert running.workers() == pids


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start workers as another user")
def test_workers_that_may_not_read_the_key_get_the_new_one(pool: Pools, tmp_path: Path) -> None:
    files = Files.of(tmp_path, "one.example")
    running = pool(https_toml(files, workers=2, process='user = "nobody"'), wrapper=OPEN_FOLDER)
    pids = running.workers()
    assert {psutil.Process(pid).uids().real for pid in pids} == {pwd.getpwnam("nobody").pw_uid}
    assert files.key.stat().st_mode & 0o777 == 0o600

    files.replace(named("two.example"))
    renew(running)

    assert presents(running, "two.example")
    assert running.workers() == pids


def test_a_reload_at_the_same_time_ends_with_the_new_certificate(pool: Pools, tmp_path: Path) -> None:
    files = Files.of(tmp_path, "one.example")
    running = pool(https_toml(files))
    for name in ("two.example", "three.example"):
        files.replace(named(name))
        commands = [
            subprocess.Popen([sys.executable, "-m", "corepool", each, "--control", str(running.control)])  # noqa: S603
            for each in ("reload", "renew")
        ]
        while any(each.poll() is None for each in commands):
            assert presented(running, 1) <= {der(named(each)) for each in ("one.example", "two.example", name)}
        assert [each.wait() for each in commands] == [0, 0]
        assert presents(running, name)


def test_workers_that_die_meanwhile_are_replaced_by_ones_with_the_new_certificate(pool: Pools, tmp_path: Path) -> None:
    files = Files.of(tmp_path, "one.example")
    running = pool(https_toml(files))
    for name, how_many in (("two.example", 1), ("three.example", 3)):
        pids = running.workers()
        files.replace(named(name))
        for pid in pids[:how_many]:
            os.kill(pid, signal.SIGKILL)
        renew(running)
        wait_until(lambda: len(set(running.workers()) - set(pids)) == how_many and len(running.workers()) == 4)  # noqa: B023
        assert presents(running, name)
        assert running.status()["renewal"]["waiting"] == 0


def test_an_upgrade_takes_the_new_certificate_along_and_its_master_looks_on(pool: Pools, tmp_path: Path) -> None:
    files = Files.of(tmp_path, "one.example")
    running = pool(https_toml(files, workers=2))
    files.replace(named("two.example"))
    renew(running)
    assert corepool(running, "upgrade").returncode == 0
    master = running.status()["pid"]
    assert presents(running, "two.example")

    files.replace(named("three.example"))
    renew(running)
    assert presents(running, "three.example")

    assert corepool(running, "stop").returncode == 0
    wait_until(lambda: not psutil.pid_exists(master) and not running.left_over())
