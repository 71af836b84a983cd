"""The syslog collector: every message whole and once, from any sender, however it is framed, through reloads."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import threading
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from sources import source

from corepool.testing.sockets import receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from example_folders import Run, Start

    from corepool.testing.pool import PoolProcess

OF_5424 = b'<34>1 2026-01-31T12:00:00Z host su 17 ID47 [origin ip="192.0.2.1"] it failed'
OF_3164 = b"<13>Jan 31 12:00:00 host cron[42]: it ran"
ON_AND_ON = b"<13>Jan 31 12:00:00 host cron[42]: on and on"
SENDERS, MESSAGES = 8, 250


@pytest.fixture
def collector(start: Start) -> PoolProcess:
    return start("syslog")


def rows(collector: PoolProcess, query: str = "SELECT text FROM messages ORDER BY id") -> list[tuple[object, ...]]:
    """Read the database while the collector writes to it."""
    with closing(sqlite3.connect(collector.directory / "syslog.db", timeout=60)) as database:
        return database.execute(query).fetchall()


def texts(collector: PoolProcess) -> list[object]:
    return [text for (text,) in rows(collector)]


def is_cut_off(sender: socket.socket) -> bool:
    """Send one more message; tell whether the collector has closed the connection."""
    try:
        sender.sendall(counted(ON_AND_ON))
        return sender.recv(1) == b""
    except BlockingIOError:
        return False
    except (BrokenPipeError, ConnectionResetError):
        return True


def counted(message: bytes) -> bytes:
    return b"%d %s" % (len(message), message)


def send(collector: PoolProcess, data: bytes) -> None:
    """Send, and wait until the collector has taken everything and closed its side."""
    with collector.connect() as sender:
        sender.sendall(data)
        sender.shutdown(socket.SHUT_WR)
        assert receive_all(sender) == b""


@pytest.mark.parametrize("form", [(), ("--rfc3164",), ("--octet-count",)])
def test_logger_is_a_client(collector: PoolProcess, form: tuple[str, ...]) -> None:
    url = urlsplit(collector.urls()[0])
    to = ["logger", "--server", str(url.hostname), "--port", str(url.port), "--tcp"]

    what = ["--priority", "local3.warning", "--tag", "me", "hello from logger"]
    subprocess.run([*to, *form, *what], check=True, timeout=300)  # noqa: S603

    wait_until(lambda: rows(collector))
    found = rows(collector, "SELECT facility, severity, host, app, text FROM messages")
    assert found == [(19, 4, socket.gethostname().partition(".")[0], "me", "hello from logger")]


def test_both_framings_and_both_forms_are_taken_apart_in_one_connection(collector: PoolProcess) -> None:
    send(collector, counted(OF_5424) + OF_3164 + b"\n" + counted(OF_3164) + OF_5424 + b"\n")

    fields = "SELECT facility, severity, time, host, app, process, kind, structured, text FROM messages ORDER BY id"
    of_5424 = (4, 2, "2026-01-31T12:00:00Z", "host", "su", "17", "ID47", '[origin ip="192.0.2.1"]', "it failed")
    of_3164 = (1, 5, "Jan 31 12:00:00", "host", "cron", "42", "", "", "it ran")
    assert rows(collector, fields) == [of_5424, of_3164, of_3164, of_5424]


def test_messages_that_arrive_byte_by_byte_are_whole(collector: PoolProcess) -> None:
    with collector.connect() as sender:
        for byte in counted(OF_5424) + OF_3164 + b"\n":
            sender.sendall(bytes([byte]))
        wait_until(lambda: texts(collector) == ["it failed", "it ran"])


@pytest.mark.parametrize(
    "wrong",
    [
        b"no priority at all\n",
        b"<192>1 - - - - - - priority too high\n",
        b"<34>1 too few fields\n",
        b"<34>Jan\n",
        b"99999999999999 a number that is no count\n",
        b"12\n",
        b"7 <34>\xff\x00\n",
        b"\xff" * 100 + b"\n",
    ],
)
def test_a_malformed_message_costs_itself_only_and_is_kept_as_it_came(collector: PoolProcess, wrong: bytes) -> None:
    send(collector, OF_3164 + b"\n" + wrong + counted(OF_5424))

    assert texts(collector) == ["it ran", "it failed"]
    ((raw, reason),) = rows(collector, "SELECT raw, reason FROM malformed")
    assert isinstance(raw, bytes)
    assert raw in wrong
    assert reason


@pytest.mark.parametrize("frame", [counted, lambda message: message + b"\n"])
def test_a_message_too_long_is_cut_and_the_next_one_is_whole(collector: PoolProcess, frame: object) -> None:
    assert callable(frame)
    too_long = frame(OF_3164 + b"!" * 1_000_000)
    send(collector, too_long + frame(OF_5424) + too_long[:500_000])

    first, whole, last = texts(collector)
    assert str(first).startswith("it ran!!")
    assert len(str(first)) < 8192
    assert whole == "it failed"
    assert last == first
    assert rows(collector, "SELECT raw FROM malformed") == []


def test_a_message_without_its_end_is_kept(collector: PoolProcess) -> None:
    send(collector, OF_3164)
    send(collector, counted(OF_5424)[:30])

    assert texts(collector) == ["it ran"]
    assert rows(collector, "SELECT raw FROM malformed") == [(counted(OF_5424)[:30],)]


def test_several_workers_write_to_the_file_and_nothing_is_lost_or_doubled(collector: PoolProcess) -> None:
    def send_many(number: int) -> None:
        send(collector, b"".join(counted(OF_5424 + b" %d.%d" % (number, each)) for each in range(MESSAGES)))

    senders = [threading.Thread(target=send_many, args=(number,)) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    expected = {f"it failed {number}.{each}" for number in range(SENDERS) for each in range(MESSAGES)}
    assert sorted(map(str, texts(collector))) == sorted(expected)
    assert all(worker["accepted"] for worker in collector.status()["workers"])


def test_whole_messages_are_stored_before_the_pool_stops_and_begun_ones_may_be_finished(start: Start) -> None:
    collector = start("syslog", environment={"COREPOOL_POOL_WORKERS": "1", "COREPOOL_POOL_DRAIN_TIMEOUT": "60"})
    with collector.connect() as sender, collector.connect() as active:
        sender.sendall(b"".join(counted(OF_5424) for _ in range(5000)) + counted(OF_3164)[:20])
        wait_until(lambda: texts(collector))

        collector.send_signal(15)
        # A worker that leaves waits a second for recently active senders, and longer for unfinished messages.
        active.setblocking(False)
        wait_until(partial(is_cut_off, active), what="the sender that goes on sending is cut off")
        sender.sendall(counted(OF_3164)[20:])
        assert receive_all(sender) == b""

    assert collector.wait() == 0
    assert [text for text in texts(collector) if text != "on and on"] == ["it failed"] * 5000 + ["it ran"]


def test_a_reload_loses_nothing_of_senders_that_come_again(collector: PoolProcess) -> None:
    """As good senders do: one that finds the connection closed sends on over a new one."""
    is_over = threading.Event()
    sent: list[bytes] = []

    def send_on() -> None:
        while not is_over.is_set():
            number = b"%d" % len(sent)
            send(collector, OF_3164 + number + b"\n")
            sent.append(number)

    sender = threading.Thread(target=send_on)
    sender.start()
    try:
        generation = collector.status()["reload"]["generation"]
        collector.request("reload")
        wait_until(lambda: collector.status()["reload"]["generation"] > generation)
        wait_until(lambda: collector.status()["reload"]["state"] == "done")
    finally:
        is_over.set()
        sender.join()

    assert texts(collector) == [f"it ran{int(number)}" for number in sent]


def test_a_locked_database_makes_senders_wait_and_loses_nothing(collector: PoolProcess) -> None:
    database = sqlite3.connect(collector.directory / "syslog.db", isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    with collector.connect() as sender:
        sender.sendall(OF_3164 + b"\n")
        sender.shutdown(socket.SHUT_WR)
        assert texts(collector) == []

        database.execute("COMMIT")

        assert receive_all(sender) == b""
    database.close()
    assert texts(collector) == ["it ran"]


def test_a_batch_that_cannot_be_stored_cuts_its_sender_off_and_leaves_nothing_half_done(start: Start) -> None:
    collector = start("syslog", traceback=True)
    with closing(sqlite3.connect(collector.directory / "syslog.db", timeout=60)) as database:
        database.execute("ALTER TABLE malformed RENAME TO hidden")
        with collector.connect() as sender:
            sender.sendall(OF_3164 + b"\nmalformed\n")
            assert receive_all(sender) == b""
        database.execute("ALTER TABLE hidden RENAME TO malformed")

    collector.wait_logged("no such table: malformed")
    for _ in range(4):
        send(collector, OF_5424 + b"\n")
    assert texts(collector) == ["it failed"] * 4


OPEN_LOCKED = source("programs/open_locked.py")


def test_a_process_waits_until_another_one_has_made_the_database(run: Run) -> None:
    """Two that turn to the write-ahead log together seldom meet; of those that do, one is told "locked" at once."""
    done = run("syslog", "-c", OPEN_LOCKED)

    assert done.returncode == 0, done.stderr
