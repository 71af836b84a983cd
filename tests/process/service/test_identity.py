"""The identity of master and workers: user, groups, umask, limits, priority, CPUs. Real processes."""

from __future__ import annotations

import grp
import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from insider import config, evaluate, files

from corepool.config.accounts import process_mistakes
from corepool.config.load import make_draft
from corepool.config.settings import ProcessSettings
from corepool.logs.formatters import JsonFormatter
from corepool.logs.log import LogHandler
from corepool.system.identity import Identity
from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

NOBODY = pwd.getpwnam("nobody")
EPERM = 1

# The pool's folder is its owner's alone; workers that are another user have to get into it.
OPEN_FOLDER = ("sh", "-c", 'chmod 755 . && exec "$@"', "sh")

for_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start workers as another user")


def status_of(pid: int, key: str) -> list[int]:
    """Read the numbers of a line of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return [int(word) for line in lines if line.startswith(f"{key}:") for word in line.split()[1:]]


@for_root
def test_workers_are_the_user_for_good_and_the_master_stays_root(pool: Pools) -> None:
    running = pool(config('user = "nobody"'), files=files(), wrapper=OPEN_FOLDER)
    worker = running.workers()[0]

    assert status_of(worker, "Uid") == [NOBODY.pw_uid] * 4
    assert status_of(worker, "Gid") == [NOBODY.pw_gid] * 4
    assert status_of(worker, "Groups") == os.getgrouplist("nobody", NOBODY.pw_gid)
    for way_back in ("os.setresuid, 0, 0, 0", "os.setuid, 0", "os.seteuid, 0", "os.setgroups, [0]", "os.setgid, 0"):
        assert evaluate(running, f"attempt({way_back})") == EPERM
    assert status_of(running.pid, "Uid") == [0] * 4
    assert evaluate(running, "[os.environ[name] for name in ('HOME', 'USER', 'LOGNAME')]") == [
        NOBODY.pw_dir,
        "nobody",
        "nobody",
    ]


@for_root
def test_a_replaced_worker_is_the_user_as_well(pool: Pools) -> None:
    running = pool(config('user = "nobody"'), files=files(), wrapper=OPEN_FOLDER)
    os.kill(running.workers()[0], signal.SIGKILL)
    wait_until(lambda: running.status()["totals"]["restarts"] == 1 and running.workers())

    assert evaluate(running, "os.getresuid()") == (NOBODY.pw_uid,) * 3


@for_root
def test_numbers_do_without_a_database(pool: Pools) -> None:
    running = pool(config("user = 54321\ngroup = 12345"), files=files(), wrapper=OPEN_FOLDER)

    assert evaluate(running, "os.getresuid(), os.getresgid(), os.getgroups()") == (
        (54321,) * 3,
        (12345,) * 3,
        [12345],
    )


@for_root
def test_a_group_of_its_own_comes_with_the_users_others() -> None:
    group = grp.getgrnam("daemon")

    identity = Identity.of(ProcessSettings(user="nobody", group="daemon"))

    assert identity.account is not None
    assert identity.account.gid == group.gr_gid
    assert set(identity.account.groups) == {*os.getgrouplist("nobody", group.gr_gid)}


@for_root
def test_a_stuck_worker_that_changed_its_user_still_dies_with_its_master() -> None:
    """The kernel forgets PR_SET_PDEATHSIG when the user changes; a loop that spins hears of nothing else."""
    with PoolProcess.run(config('user = "nobody"'), files=files(), wrapper=OPEN_FOLDER) as running:
        client = running.connect()
        worker = running.workers()[0]
        client.sendall(b"os.write(2, b'spins') + spin()")
        running.wait_logged("spins")
        assert status_of(worker, "Uid") == [NOBODY.pw_uid] * 4
        os.kill(running.pid, signal.SIGKILL)

        wait_until(lambda: not running.left_over())


@for_root
def test_temporary_data_belong_to_the_user(pool: Pools) -> None:
    toml = config('user = "nobody"').replace('"insider"', '"kv"')
    running = pool(toml, wrapper=OPEN_FOLDER)
    with running.connect() as client:
        client.sendall(b"SET a 1\r\nGET a\r\n")
        with client.makefile("rb") as answer:
            assert [answer.readline() for _ in range(3)] == [b"+OK\r\n", b"$1\r\n", b"1\r\n"]


@for_root
def test_workers_open_a_log_file_anew(pool: Pools) -> None:
    toml = config('user = "nobody"') + '[log]\nfile = "log.txt"\n'
    running = pool(toml, files=files(), wrapper=OPEN_FOLDER)
    path = running.directory / "log.txt"
    path.rename(running.directory / "old.txt")
    running.send_signal(signal.SIGUSR1)
    wait_until(path.exists)
    links = "[os.path.realpath('/proc/self/fd/' + fd) for fd in os.listdir('/proc/self/fd')]"
    wait_until(lambda: str(path) in evaluate(running, links))

    assert (path.stat().st_uid, path.stat().st_gid) == (NOBODY.pw_uid, NOBODY.pw_gid)
    assert "log_file_not_reopened" not in path.read_text()


@for_root
def test_root_gives_no_file_away_that_was_put_in_the_place_of_the_log(pool: Pools) -> None:
    toml = config('user = "nobody"') + '[log]\nfile = "log.txt"\n'
    running = pool(toml, files={**files(), "precious": "secret"}, wrapper=OPEN_FOLDER)
    path, precious = running.directory / "log.txt", running.directory / "precious"
    path.rename(running.directory / "old.txt")
    path.symlink_to(precious)
    running.send_signal(signal.SIGUSR1)
    wait_until(lambda: "log_file_not_reopened" in (running.directory / "old.txt").read_text())

    assert precious.stat().st_uid == 0
    assert precious.read_text() == "secret"


@for_root
def test_a_log_file_that_was_there_keeps_its_owner(tmp_path: Path) -> None:
    """It may be a second name of anything: a link that another user has made, where the system allows it."""
    (tmp_path / "found.log").touch()

    for name, owner in (("found.log", 0), ("made.log", NOBODY.pw_uid)):
        handler = LogHandler(str(tmp_path / name), JsonFormatter())
        handler.entrust(NOBODY.pw_uid, NOBODY.pw_gid)
        os.close(handler.fd)

        assert (tmp_path / name).stat().st_uid == owner


@for_root
def test_without_the_capability_the_pool_does_not_start_and_says_why(pool: Pools) -> None:
    wrapper = ("setpriv", "--bounding-set=-setuid")
    running = pool(config('user = "nobody"'), files=files(), wrapper=wrapper, wait=False, exit_status=2)

    assert running.wait() == 2
    assert "process.user: can't become user" in running.stderr
    assert "Operation not permitted (it takes the capabilities SETUID and SETGID)" in running.stderr


@for_root
def test_a_worker_stays_that_can_not_have_a_replacement(pool: Pools) -> None:
    """The limit counts the user's processes: it leaves room for the master and its worker only."""
    uid = 1_000_000_000 + os.getpid()  # no other user's, whatever runs beside this
    user = ("prlimit", "--nproc=2:2", "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups")
    whole = ("sh", "-c", f'chown -R {uid} . && exec "$@"', "sh", *user)
    running = pool(config(), files=files(), wrapper=whole)
    (worker,) = running.workers()

    reply = running.request("drain", slot=0)

    assert (reply["ok"], reply["error"]) == (
        False,
        "worker 0 stays: its replacement can't be forked; the log says why",
    )
    running.wait_logged('replacement_not_forked slot=0 reason="[Errno 11]')
    assert running.workers() == [worker]


@for_root
def test_no_fork_that_fails_keeps_another_replacement_waiting(pool: Pools) -> None:
    """Both workers are to be recycled: a request for the first does not find the second in front of it."""
    uid = 1_000_000_000 + os.getpid()
    user = ("prlimit", "--nproc=3:3", "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups")
    whole = ("sh", "-c", f'chown -R {uid} . && exec "$@"', "sh", *user)
    toml = config(workers=2).replace("[pool]\n", '[pool]\nrecycle_age = "10ms"\n')
    running = pool(toml, files=files(), wrapper=whole)
    workers = running.workers()

    running.wait_logged("replacement_not_forked slot=0")

    assert [running.request("drain", slot=slot)["ok"] for slot in (0, 1)] == [False, False]
    assert running.workers() == workers


@for_root
def test_a_master_that_could_not_signal_its_workers_does_not_start(pool: Pools) -> None:
    wrapper = ("setpriv", "--bounding-set=-kill")
    running = pool(config('user = "nobody"'), files=files(), wrapper=wrapper, wait=False, exit_status=2)

    assert running.wait() == 2
    assert "it takes the capability KILL" in running.stderr


@for_root
def test_only_root_starts_workers_as_another_user(pool: Pools) -> None:
    wrapper = ("setpriv", "--reuid=nobody", "--regid=54321", "--clear-groups")
    running = pool(
        config('user = "daemon"'), files=files(), wrapper=(*OPEN_FOLDER, *wrapper), wait=False, exit_status=2
    )

    assert running.wait() == 2
    assert 'process.user = "daemon": only root can start workers as another user' in running.stderr


def test_a_process_that_is_the_user_already_needs_no_privileges(pool: Pools) -> None:
    running = pool(config(f"user = {os.geteuid()}\ngroup = {os.getegid()}"), files=files())

    assert evaluate(running, "os.geteuid(), os.getegid()") == (os.geteuid(), os.getegid())


def test_check_finds_what_this_system_does_not_have() -> None:
    cpus = (min(os.sched_getaffinity(0)), 9999)
    settings = ProcessSettings(user="no-such-user", group="no-such-group", affinity=cpus)
    usable = ", ".join(map(str, sorted(os.sched_getaffinity(0))))

    assert list(process_mistakes(settings)) == [
        'process.user = "no-such-user": this system has no such user; create it, or leave the key out',
        'process.group = "no-such-group": this system has no such group; create it, or leave the key out',
        f"process.affinity[1] = 9999: this process may not use that CPU; it may use {usable}",
    ]


def test_a_number_that_no_database_knows_needs_a_group() -> None:
    assert list(process_mistakes(ProcessSettings(user=54321))) == [
        "process.user = 54321: there is no such user here to take the group from; set process.group"
    ]


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("umask", "0099", 'expected an octal number in quotes, such as "0027"'),
        ("umask", 27, 'expected an octal number in quotes, such as "0027"'),
        ("nofile", 3, 'expected at least 64 or "max"'),
        ("nofile", "all", 'expected a whole number or "max"'),
        ("nice", 20, "expected at most 19"),
        ("affinity", "on", 'expected "off" or "auto" or an array'),
        ("affinity", [], 'expected "off" or "auto" or at least 1 item'),
        ("user", "", "expected at least 1 character or a whole number"),
        ("pidfile", "", "expected at least 1 character"),
    ],
)
def test_mistakes_are_explained(key: str, value: object, sentence: str) -> None:
    listener = {"name": "a", "bind": ["tcp://127.0.0.1:0"], "protocol": "echo"}
    (mistake,) = make_draft({"process": {key: value}, "listener": [listener]}, "x", {}).mistakes

    assert mistake.startswith(f"process.{key} = ")
    assert mistake.endswith(f": {sentence}")


@pytest.mark.parametrize(("process", "mode"), [('umask = "0007"', 0o660), ('umask = "077"', 0o600)])
def test_the_umask_is_for_files_of_workers_and_master(pool: Pools, process: str, mode: int) -> None:
    bind = "unix:///proc/self/cwd/x.sock"
    toml = config(f'{process}\npidfile = "x.pid"', bind=bind).replace("unix:///proc/self/cwd", "unix://{folder}")
    running = start_in_folder(pool, toml)

    assert evaluate(running, "make('made')") == mode
    assert mode_of(running, "x.sock") == mode
    assert mode_of(running, "x.pid") == mode & 0o644
    assert mode_of(running, "control.sock") == 0o600


def test_without_an_umask_sockets_are_for_their_owner_alone(pool: Pools) -> None:
    running = start_in_folder(pool, config(bind="unix://{folder}/x.sock"), "umask 0000;")

    assert mode_of(running, "x.sock") == 0o600


def test_a_mode_in_the_url_is_stronger_than_the_umask(pool: Pools) -> None:
    running = start_in_folder(pool, config('umask = "0077"', bind="unix://{folder}/x.sock?mode=0666"))

    assert mode_of(running, "x.sock") == 0o666


@for_root
def test_a_socket_file_belongs_to_the_user_and_the_control_socket_to_root(pool: Pools) -> None:
    running = start_in_folder(pool, config('user = "nobody"\ngroup = 12345', bind="unix://{folder}/x.sock"))
    status = (running.directory / "x.sock").stat()
    control = running.control.stat()

    assert (status.st_uid, status.st_gid) == (NOBODY.pw_uid, 12345)
    assert (control.st_uid, control.st_mode & 0o777) == (0, 0o600)
    assert evaluate(running, f"attempt(__import__('socket').socket(1).connect, {str(running.control)!r})") == 13


def start_in_folder(pool: Pools, toml: str, first: str = "") -> PoolProcess:
    """Start a pool whose configuration names its own folder: it is known only then."""
    script = f'{first} chmod 755 . && sed -i "s|{{folder}}|$PWD|" corepool.toml && exec "$@"'
    return pool(toml, files=files(), wrapper=("sh", "-c", script, "sh"))


def mode_of(pool: PoolProcess, name: str) -> int:
    return (pool.directory / name).stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("process", "soft", "hard"),
    [("", 1000, 1000), ('nofile = "max"', 1000, 1000), ("nofile = 500", 500, 1000)],
)
def test_descriptors_are_raised_before_connections_are_counted(pool: Pools, process: str, soft: int, hard: int) -> None:
    wrapper = ("prlimit", "--nofile=100:1000")
    running = pool(config(process, pool="max_connections = 400"), files=files(), wrapper=wrapper)

    assert evaluate(running, "resource.getrlimit(resource.RLIMIT_NOFILE)") == (soft, hard)
    assert "max_connections_lowered" not in running.stderr


def test_more_descriptors_than_the_hard_limit_are_roots_or_refused(pool: Pools) -> None:
    wrapper = ("prlimit", "--nofile=100:1000", "setpriv", "--bounding-set=-sys_resource")
    if os.geteuid() != 0:
        wrapper = wrapper[:2]
    running = pool(config("nofile = 2000"), files=files(), wrapper=wrapper, wait=False, exit_status=2)

    assert running.wait() == 2
    assert "process.nofile = 2000: " in running.stderr
    assert "the hard limit is 1000 (`ulimit -Hn`), and only root can raise it" in running.stderr


def test_priority_is_for_master_and_workers(pool: Pools) -> None:
    running = pool(config("nice = 7"), files=files())

    assert os.getpriority(os.PRIO_PROCESS, running.pid) == 7
    assert evaluate(running, "os.getpriority(os.PRIO_PROCESS, 0)") == 7


@for_root
def test_a_priority_below_zero_reaches_workers_of_another_user(pool: Pools) -> None:
    """The master's own scheduling policy keeps the kernel from handing it down at the fork."""
    running = pool(config('nice = -3\nuser = "nobody"'), files=files(), wrapper=OPEN_FOLDER)

    assert os.getpriority(os.PRIO_PROCESS, running.pid) == -3
    assert evaluate(running, "os.getpriority(os.PRIO_PROCESS, 0)") == -3


def test_workers_are_not_scheduled_as_the_master_which_interrupts_nothing(pool: Pools) -> None:
    running = pool(config(""), files=files())

    assert os.sched_getscheduler(running.pid) & ~os.SCHED_RESET_ON_FORK == os.SCHED_BATCH
    assert evaluate(running, "os.sched_getscheduler(0)") == os.SCHED_OTHER


def test_a_priority_that_is_not_granted_is_explained(pool: Pools) -> None:
    wrapper = ("setpriv", "--bounding-set=-sys_nice") if os.geteuid() == 0 else ()
    running = pool(config("nice = -3"), files=files(), wrapper=wrapper, wait=False, exit_status=2)

    assert running.wait() == 2
    assert "process.nice = -3: Permission denied; less than 0 takes root or a `ulimit -e`" in running.stderr


@pytest.mark.parametrize("affinity", ['"auto"', "list", '"off"'])
def test_each_worker_is_pinned_to_a_cpu_in_turn(pool: Pools, affinity: str) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    cpus = {'"auto"': allowed, "list": allowed[::-1], '"off"': None}[affinity]
    value = str(cpus) if affinity == "list" else affinity
    running = pool(config(f"affinity = {value}", workers=3), files=files())
    pinned = [os.sched_getaffinity(worker) for worker in running.workers()]

    assert pinned == [set(allowed) if cpus is None else {cpus[slot % len(cpus)]} for slot in range(3)]
    assert os.sched_getaffinity(running.pid) == set(allowed)


def test_a_reload_says_that_it_leaves_process_as_it_is(pool: Pools) -> None:
    running = pool(config("nice = 7"), files=files())
    path = running.directory / "corepool.toml"
    path.write_text(path.read_text().replace("nice = 7", "nice = 9"))
    command = [sys.executable, "-m", "corepool", "reload", "--control", str(running.control)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603

    running.wait_logged("table_needs_restart table=process")
    assert evaluate(running, "os.getpriority(os.PRIO_PROCESS, 0)") == 7
