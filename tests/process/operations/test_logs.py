"""The log: lines for people, objects for programs, files that are moved away."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import signal
from typing import TYPE_CHECKING

import probe
import pytest
from http_client import get
from operated import start

from corepool.logs.formatters import JsonFormatter, TextFormatter
from corepool.logs.log import LogHandler
from corepool.master.oom import OomCounter
from corepool.master.workers import WorkerEntry
from corepool.spec.types import ExitCause
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

RAISES = """
import logging

def app(environ, start_response):
    logging.getLogger("app").warning("two\\nlines and a \\x00", extra={"user": 7, "level": "mine"})
    raise RuntimeError("on purpose")
"""
LOGS = """
import logging
{config}

def app(environ, start_response):
    start_response("200 OK", [])
    logging.getLogger("library").debug("only a detail")
    logging.getLogger("library").warning("from a library")
    yield b""
"""


def start_with_log(pool: Pools, log: str, application: str = "", **surroundings: str) -> PoolProcess:
    # [log] stands before [[listener]], as the last lines of [pool] do.
    return start(pool, lines=f"[log]\n{log}", application=application, environment=surroundings)


@pytest.mark.parametrize("log", ['format = "json"', ""])
def test_one_record_is_one_object_on_one_line(pool: Pools, log: str) -> None:
    running = start_with_log(pool, log, RAISES, COREPOOL_LOG_FORMAT="json" if log else "auto")
    assert get(running, "/").status == 500
    running.wait_logged("on purpose")
    records = [json.loads(line) for line in running.stderr.splitlines()]
    assert all(set(record) >= {"time", "level", "process", "logger"} for record in records)
    assert all(("message" in record) != ("event" in record) for record in records)
    [failed] = [record for record in records if "traceback" in record]
    assert (failed["event"], failed["request"]) == ("request_failed", "GET /")
    assert failed["traceback"].endswith("RuntimeError: on purpose")
    assert failed["process"] in running.workers()
    [warned] = [record for record in records if record["logger"] == "app"]
    assert warned["message"] == "two\nlines and a \0"
    assert (warned["user"], warned["level"], warned["level_"]) == (7, "warning", "mine")


@pytest.mark.parametrize("level", ["debug", "warning"])
def test_what_an_application_logs_is_in_the_log_from_its_level_on(pool: Pools, level: str) -> None:
    running = start_with_log(pool, f'level = "{level}"', LOGS.format(config="logging.basicConfig(level=logging.DEBUG)"))
    assert get(running, "/").status == 200
    running.wait_logged("from a library")
    assert running.stderr.count("only a detail") == (level == "debug")


def test_an_application_may_have_a_log_of_its_own(pool: Pools) -> None:
    own = 'logging.basicConfig(filename="own.log", force=True)'
    running = start_with_log(pool, "", LOGS.format(config=own) + "    raise RuntimeError\n")
    assert get(running, "/").status == 500
    wait_until(lambda: 'request_failed request="GET /"' in (running.directory / "own.log").read_text())
    assert "from a library" in (running.directory / "own.log").read_text()
    running.wait_logged("worker_ready")
    assert "from a library" not in running.stderr


def test_a_log_file_is_opened_anew_by_every_process(pool: Pools) -> None:
    running = start_with_log(pool, 'file = "pool.log"', RAISES)
    path = running.directory / "pool.log"
    assert path.stat().st_mode & 0o777 == 0o640
    for number in range(3):
        path.rename(path.with_suffix(f".{number}"))
        running.send_signal(signal.SIGUSR1)
        wait_until(path.exists)
        # Each worker opens it by itself: ask until one of them writes, then all of them have been told.
        wait_until(lambda: get(running, "/").status == 500 and path.read_text().count("on purpose") >= 2)
    assert running.stderr == ""


def test_a_worker_that_boots_meanwhile_opens_it_anew_too(pool: Pools) -> None:
    toml = probe.config(workers=2) + '[log]\nfile = "pool.log"\nformat = "text"\n'
    running = pool(toml, files=probe.files(), traceback=True)
    path, old, gate = (running.directory / name for name in ("pool.log", "pool.log.1", "wait-to-boot"))
    _, neighbour = running.workers()
    gate.touch()
    os.kill(running.workers()[0], signal.SIGKILL)
    wait_until(lambda: list(running.directory.glob("waits-*")), what="a worker that boots")
    (waits,) = running.directory.glob("waits-*")
    new = int(waits.name.removeprefix("waits-"))
    path.rename(old)
    running.send_signal(signal.SIGUSR1)
    wait_until(path.exists)
    gate.unlink()
    wait_until(lambda: len(running.workers()) == 2)
    assert running.workers() == [new, neighbour]
    with running.connect() as one, running.connect() as two:
        for client in (one, two):
            client.sendall(b"raise\n")
        wait_until(lambda: f"ERROR [{new}]" in path.read_text())
    assert f"[{new}]" not in old.read_text()


def test_the_stacks_of_a_hung_worker_are_in_the_log_file(pool: Pools) -> None:
    toml = probe.config(workers=1, pool='heartbeat_timeout = "2s"') + '[log]\nfile = "pool.log"\n'
    running = pool(toml, files=probe.files())
    (pid,) = running.workers()
    path = running.directory / "pool.log"
    path.rename(running.directory / "pool.log.1")
    running.send_signal(signal.SIGUSR1)
    wait_until(path.exists)
    with running.connect() as client:
        client.sendall(b"sleep\n")
        wait_until(lambda: running.workers() not in ([], [pid]))
    assert "in do_sleep" in path.read_text()
    assert running.stderr == ""


def test_a_pipe_that_is_not_ours_to_be_opened_blocks_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    reader, writer = os.pipe()  # never read
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    monkeypatch.setattr("corepool.logs.log._STDERR", writer)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)  # a pipe of another user
        handler = LogHandler(None, TextFormatter())
    try:
        for _ in range(100):
            handler.emit(logging.makeLogRecord({"msg": "x" * 100}))  # the test's deadline is its end
        os.read(reader, 4096)
        handler.emit(logging.makeLogRecord({"msg": "after"}))
        last = os.read(reader, 4096)
    finally:
        for fd in (handler.fd, reader, writer):
            os.close(fd)
    assert re.search(rb"log_lines_dropped count=\d+\n", last)
    assert last.endswith(b"after\n")


def test_a_log_file_that_cannot_be_opened_is_a_mistake(pool: Pools) -> None:
    running = pool(
        '[log]\nfile = "/nowhere/pool.log"\n[[listener]]\nname = "a"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "echo"',
        wait=False,
        exit_status=2,
    )
    assert running.wait() == 2
    assert 'log.file = "/nowhere/pool.log": can\'t be opened: No such file or directory' in running.stderr


def test_a_worker_killed_for_memory_is_told_from_others(tmp_path: Path) -> None:
    events = tmp_path / "memory.events"
    events.write_text("low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n")
    counter = OomCounter(events)
    assert not counter.has_grown()
    events.write_text("low 0\noom_kill 2\n")
    assert counter.has_grown()
    assert not counter.has_grown()
    assert not OomCounter(tmp_path / "none").has_grown()
    OomCounter()  # of the machine, whatever it has
    entry = object.__new__(WorkerEntry)
    entry.intended, entry.was_ready = None, True
    assert entry.cause(-9, out_of_memory=True) is ExitCause.OUT_OF_MEMORY
    assert entry.cause(1) is ExitCause.CRASH
    entry.intended = ExitCause.HUNG
    assert entry.cause(-9, out_of_memory=True) is ExitCause.HUNG


def test_usr1_reaches_the_access_logs_of_workers(pool: Pools) -> None:
    running = start(pool, options='access_log = "common"\naccess_log_file = "access.log"')
    path = running.directory / "access.log"
    get(running, "/")
    wait_until(lambda: path.exists() and path.read_text().count("GET /") == 1)
    os.rename(path, path.with_suffix(".old"))  # noqa: PTH104
    running.send_signal(signal.SIGUSR1)
    wait_until(lambda: get(running, "/").status == 200 and path.exists() and path.read_text().count("GET /") >= 1)


def test_a_line_that_was_cut_short_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    handler = LogHandler(str(path), JsonFormatter())
    try:
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
        for message in ("x" * 100_000, "nobody takes it"):
            handler.emit(logging.makeLogRecord({"msg": message}))
        cut = os.read(reader, 100_000)
        assert b"\n" not in cut
        handler.emit(logging.makeLogRecord({"msg": "after"}))
        rest, *lines = (cut + os.read(reader, 100_000)).splitlines()
    finally:
        os.close(handler.fd)
        os.close(reader)
    assert rest == cut
    dropped, after = map(json.loads, lines)
    assert (dropped["event"], dropped["count"]) == ("log_lines_dropped", 2)
    assert after["message"] == "after"


def test_a_client_can_neither_forge_a_line_nor_command_a_terminal() -> None:
    name = "\0me\n2026-01-31T12:00:00.123Z ERROR [1] forged\x1b[2J\x9b"

    written = TextFormatter().format(logging.makeLogRecord({"msg": "peer=%s", "args": (name,)}))

    first, second = written.split("\n")
    assert first.endswith(r"peer=\x00me")
    assert second == r"    2026-01-31T12:00:00.123Z ERROR [1] forged\x1b[2J\x9b"


def test_a_log_file_that_is_a_link_to_another_file_is_refused(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.touch()
    (tmp_path / "link.log").symlink_to(precious)

    with pytest.raises(OSError, match="it is a link"):
        LogHandler(str(tmp_path / "link.log"), JsonFormatter())


def test_a_link_to_a_device_is_followed(tmp_path: Path) -> None:
    (tmp_path / "stdout.log").symlink_to("/dev/null")

    os.close(LogHandler(str(tmp_path / "stdout.log"), JsonFormatter()).fd)
