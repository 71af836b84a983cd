"""`corepool run` and `corepool serve`, with a real pool behind them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Corepool

ECHO = """
[[listener]]
name = "echo"
bind = ["{url}"]
protocol = "echo"
"""


def speaks_echo(pool: PoolProcess) -> bool:
    with pool.connect() as client:
        client.sendall(b"hello\n")
        return client.recv(100) == b"hello\n"


def test_run_serves_the_configuration_and_prints_what_listens_where() -> None:
    with PoolProcess.run(ECHO.format(url="tcp://127.0.0.1:0")) as pool:
        (url,) = pool.urls()
        assert not url.endswith(":0")
        assert speaks_echo(pool)
        wait_until(lambda: url in pool.stdout, what="the line about the listener")
        line = pool.stdout.rstrip("\n")
        pool.stop()

    assert line.startswith(f"listening name=echo url={url} protocol=echo dispatcher=least-connections  try: ")


def test_each_bound_url_has_a_line() -> None:
    with PoolProcess.serve(
        "echo", "-b", "tcp://127.0.0.1:0", "-b", f"unix:@corepool-lines-{os.getpid()}", "-w", "1"
    ) as pool:
        urls = pool.urls()
        wait_until(lambda: pool.stdout.count("\n") == 2, what="two lines")
        lines = pool.stdout.splitlines()
        pool.stop()

    assert [line.split()[2] for line in lines] == [f"url={url}" for url in urls]


def test_serve_takes_workers_and_dispatcher_from_its_flags() -> None:
    with PoolProcess.serve("echo", "-b", "tcp://127.0.0.1:0", "-w", "3", "-d", "round-robin") as pool:
        assert speaks_echo(pool)
        status = pool.status()
        pool.stop()

    assert len(status["workers"]) == 3
    assert [each["dispatcher"] for each in status["listeners"]] == ["round-robin"]


def test_flags_of_run_win_over_the_file() -> None:
    toml = "[pool]\nworkers = 1\n" + ECHO.format(url="tcp://127.0.0.1:0")
    files = {"corepool.toml": toml}
    arguments = ["run", "corepool.toml", "-w", "2", "-d", "kernel", "--log-level", "debug"]

    with PoolProcess(arguments, files=files) as pool:
        status = pool.status()
        pool.stop()

    assert len(status["workers"]) == 2
    assert status["listeners"][0]["dispatcher"] == "kernel"


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (
            ("-w", "many", "-d", "round-robbin"),
            ['--workers = "many": expected a whole number or "auto"', "--dispatcher", "round-robin"],
        ),
        (("-o", "a=1"), ["--option", "takes no options", "a"]),
        (("--log-level", "loud"), ["--log-level", '"loud"']),
        (("-b", "tcp://127.0.0.1"), ["--bind", "tcp://127.0.0.1", "port"]),
        (("--idle-timeout", "soon", "--surge", "0"), ['--idle-timeout = "soon"', "--surge = 0: expected at least 1"]),
        (("--extension", "acess"), ["--extension[0]", "did you mean 'access'?"]),
        (("--extension-option", "access.allow=x"), ["--extension-option access: it is not among the extensions"]),
        (("--dispatcher-option", "a=1"), ["--dispatcher-option", "takes no options"]),
        (("-b", "tpc://127.0.0.1:0"), ["--bind", "did you mean 'tcp'?"]),
        (("--control", ""), ["--control", "at least 1 character"]),
    ],
)
def test_mistakes_of_serve_name_its_flags(corepool: Corepool, arguments: tuple[str, ...], sentences: list[str]) -> None:
    done = corepool("serve", "echo", "-b", "tcp://127.0.0.1:0", *arguments)

    assert done.returncode == 2
    assert "the command line:" in done.stderr.splitlines()[0]
    assert [words for words in sentences if words not in done.stderr] == []
    assert "listener[0]" not in done.stderr, "a user who typed flags has never seen a listener[0]"


@pytest.mark.parametrize("bind", [("-b", "tcp://127.0.0.1:0"), ()])
def test_a_target_without_a_protocol_is_told_what_comes_first(corepool: Corepool, bind: tuple[str, ...]) -> None:
    done = corepool("serve", "webapp:app", *bind)

    assert done.returncode == 2
    right = " ".join(["corepool serve http webapp:app", *bind])
    assert f"the protocol comes first: {right}" in " ".join(done.stderr.split())


def test_an_unknown_protocol_is_one_mistake_with_a_suggestion(corepool: Corepool) -> None:
    done = corepool("serve", "ecko", "target", "-b", "tcp://127.0.0.1:0")

    assert done.returncode == 2
    heading, line = done.stderr.splitlines()
    assert heading == "corepool: 1 mistake in the command line:"
    assert "PROTOCOL" in line
    assert "did you mean 'echo'?" in line


def test_a_port_in_use_is_told_with_the_listener_and_nothing_is_started(corepool: Corepool, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        (tmp_path / "corepool.toml").write_text(ECHO.format(url=url))

        done = corepool("run")

    assert done.returncode == 2
    assert url in done.stderr
    assert "listener[0].bind[0]" in done.stderr
    assert "in use" in done.stderr
    assert done.stdout == ""


def test_without_a_configuration_the_demo_pool_says_what_it_is(corepool: Corepool) -> None:
    """With a mistake in a flag, so that it need not bind the demo's port, which may be in use."""
    done = corepool("run", "-w", "0")

    assert done.returncode == 2
    assert done.stdout.startswith("no corepool.toml here: this is the demo pool")
    assert done.stderr.startswith("corepool: 1 mistake in the command line:")


def test_a_configuration_in_the_folder_is_used_without_being_named(corepool: Corepool, tmp_path: Path) -> None:
    (tmp_path / "corepool.toml").write_text("[pool]\nwrokers = 1\n" + ECHO.format(url="tcp://127.0.0.1:0"))

    assert "1 mistake in corepool.toml" in corepool("run").stderr


def test_status_shows_a_running_pool(corepool: Corepool) -> None:
    with PoolProcess.serve("echo", "-b", "tcp://127.0.0.1:0", "-w", "2") as pool:
        assert speaks_echo(pool)
        shown = corepool("status", "--control", str(pool.control))
        (url,) = pool.urls()
        workers = pool.workers()
        pool.stop()

    assert shown.returncode == 0, shown.stderr
    assert url in shown.stdout
    assert [pid for pid in workers if str(pid) not in shown.stdout] == []


STANDARD_OUTPUTS = {
    "closed": "os.close(1)",
    "without a reader": "r, w = os.pipe(); os.dup2(w, 1); os.close(r)",
    "a full pipe": "r, w = os.pipe(); os.set_inheritable(r, True); os.dup2(w, 1); "
    "os.write(1, bytes(fcntl.fcntl(1, fcntl.F_GETPIPE_SZ)))",
    "a full device": "os.dup2(os.open('/dev/full', os.O_WRONLY), 1)",
}


@pytest.mark.parametrize("stdout", STANDARD_OUTPUTS)
def test_standard_output_that_takes_nothing_harms_no_pool(stdout: str) -> None:
    script = f"import fcntl, os, sys; {STANDARD_OUTPUTS[stdout]}; os.execv(sys.argv[1], sys.argv[1:])"
    wrapper = (sys.executable, "-c", script)

    with PoolProcess.serve("echo", "-b", "tcp://127.0.0.1:0", "-w", "1", wrapper=wrapper) as pool:
        assert speaks_echo(pool)
        pool.stop()

    assert "Traceback" not in pool.stderr


def test_in_a_terminal_a_table_is_printed(tmp_path: Path) -> None:
    ours, its = os.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "corepool",
                "serve",
                "echo",
                "-b",
                "tcp://127.0.0.1:0",
                "--control",
                "c.sock",
            ],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=its,
            stderr=subprocess.DEVNULL,
        )
        os.close(its)
        try:
            shown = b""
            while b"\n" not in shown or not shown.endswith(b"\n") or shown.count(b"\n") < 2:
                shown += terminal.read(4096)
        finally:
            process.terminate()
            process.wait(60)

    heading, row = shown.decode().splitlines()[:2]
    assert heading.split() == ["LISTENER", "WHERE", "PROTOCOL", "DISPATCHER", "TRY"]
    assert row.split()[:1] == ["echo"]
    assert row.index("tcp://127.0.0.1:") == heading.index("WHERE")
