"""What the processes are to the system. The tests run as root, who alone may become somebody else."""

from __future__ import annotations

import json
import os
import pwd
import resource
import signal
from typing import TYPE_CHECKING, Any

import probe
import psutil
import pytest

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from tests.conftest import Pools

    Start = Callable[..., PoolProcess]


@pytest.fixture
def start(pool: Pools) -> Start:
    """Start a pool of two workers with these lines of [process]."""

    def start(process: str, **surroundings: Any) -> PoolProcess:
        toml = f"[process]\n{process}\n" + probe.config('dispatcher = "round-robin"')
        return pool(toml, files=probe.files(), **surroundings)

    return start


def ask(running: PoolProcess) -> dict[str, Any]:
    client = running.connect()
    client.sendall(b"identity\n")
    with client.makefile() as lines:
        told: dict[str, Any] = json.loads(lines.readline())
    return told


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@needs_root
def test_workers_run_as_another_user_and_cannot_get_back(start: Start) -> None:
    running = start('user = "nobody"\numask = "0027"\nnice = 5')
    nobody = pwd.getpwnam("nobody")
    told = ask(running)
    assert told["uid"] == [nobody.pw_uid] * 3
    assert told["gid"] == [nobody.pw_gid] * 3
    assert told["groups"] == sorted(os.getgrouplist("nobody", nobody.pw_gid))
    assert (told["back"], told["umask"], told["nice"]) == (False, 0o027, 5)
    assert psutil.Process(running.pid).uids().real == 0
    os.kill(running.workers()[0], signal.SIGKILL)
    wait_until(lambda: len(running.workers()) == 2)


@needs_root
def test_workers_of_another_user_end_with_their_master(start: Start) -> None:
    running = start('user = "nobody"', exit_status=-signal.SIGKILL)
    # One that is stuck notices nothing by itself: the kernel's signal at its master's death, which a change of
    # user takes away from those who have asked for it before, ends it.
    running.connect().sendall(b"spin\n")
    running.connect().sendall(b"spin\n")
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    wait_until(lambda: not running.left_over(), what="its workers have gone, too")


@needs_root
def test_a_group_alone(start: Start) -> None:
    told = ask(start('group = "nogroup"'))
    gid = pwd.getpwnam("nobody").pw_gid
    assert (told["uid"], told["gid"], told["groups"]) == ([0] * 3, [gid] * 3, [gid])


def test_descriptors_are_raised_to_the_hard_limit(start: Start) -> None:
    told = ask(start("", wrapper=("prlimit", "--nofile=256:2048")))
    assert told["nofile"] == 2048
    told = ask(start("nofile = 300", wrapper=("prlimit", "--nofile=256:2048")))
    assert told["nofile"] == 300
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] != 300


def test_each_worker_has_a_cpu_of_its_own(start: Start) -> None:
    running = start('affinity = "auto"')
    cpus = {each["pid"]: each["cpus"] for each in (ask(running), ask(running))}
    available = sorted(os.sched_getaffinity(0))
    assert sorted(cpus.values()) == sorted([available[slot % len(available)]] for slot in range(2))


def test_titles(start: Start) -> None:
    running = start("")
    assert psutil.Process(running.pid).cmdline()[0].rstrip() == "corepool: master, 2 workers"
    titles = [psutil.Process(pid).cmdline()[0].rstrip() for pid in running.workers()]
    assert titles == [f"corepool: worker {slot}, generation 0, 0 connections" for slot in range(2)]


def test_mistakes_are_told_by_their_keys(start: Start) -> None:
    running = start(
        'user = "nobody-of-this-name"\ngroup = "no-such"\numask = "9"\nnice = 99', wait=False, exit_status=2
    )
    running.wait()
    for words in ("umask", "nice"):
        assert f"process.{words}" in running.stderr
    running = start('user = "nobody-of-this-name"\ngroup = "no-such"', wait=False, exit_status=2)
    running.wait()
    assert "this system has no such user" in running.stderr
    assert "this system has no such group" in running.stderr


def test_the_pidfile_is_locked_while_the_pool_runs(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "pool.pid"
    running = start(f'pidfile = "{path}"')
    assert path.read_text() == f"{running.pid}\n"
    second = start(f'pidfile = "{path}"', wait=False, exit_status=1)
    assert second.wait() == 1
    assert f"another pool runs with it (pid {running.pid})" in second.stderr
    assert path.read_text() == f"{running.pid}\n"
    running.stop()
    assert not path.exists()


def test_a_pidfile_that_was_left_over_is_taken_over(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "pool.pid"
    path.write_text("1\n")
    running = start(f'pidfile = "{path}"')
    assert path.read_text() == f"{running.pid}\n"
    running.send_signal(signal.SIGUSR2)
    assert running.wait() == 0
    wait_until(lambda: path.read_text() == f"{running.status()['pid']}\n")
    os.kill(running.status()["pid"], signal.SIGTERM)
    wait_until(lambda: not path.exists() and not running.left_over())
