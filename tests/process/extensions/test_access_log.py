"""`accesslog`: a line for each connection. Real pools, and what each kind of end looks like."""

from __future__ import annotations

import json
import re
import signal
import socket
from typing import TYPE_CHECKING

import psutil
import pytest
from extension_client import config, connect_from, is_served, plugin_files, serves, unix_url

from corepool.testing.sockets import connect, receive_all, receive_exactly, reset
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

JSON = 'accesslog\nformat = "json"\nfile = "connections.log"'

TEXT = re.compile(
    r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z peer=127\.0\.0\.1:\d+ listener=front protocol=echo "
    r"duration_s=\d+\.\d{6} in=6 out=6 reason=eof\n"
)


def lines(running: PoolProcess) -> list[dict[str, object]]:
    path = running.directory / "connections.log"
    return [json.loads(line) for line in path.read_text().splitlines()]


def one_line(running: PoolProcess) -> dict[str, object]:
    wait_until(lambda: lines(running))
    (line,) = lines(running)
    return line


def test_a_line_of_text_on_standard_output(pool: Pools) -> None:
    running = pool(config("accesslog"))
    assert serves(running.urls()[0])

    wait_until(lambda: TEXT.search(running.stdout))


def test_an_object_a_line_has_the_same_facts(pool: Pools) -> None:
    running = pool(config(JSON))
    with running.connect() as client:
        host, port = client.getsockname()
        client.sendall(b"x" * 100_000)
        assert len(receive_exactly(client, 100_000)) == 100_000
    line = one_line(running)

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(line.pop("time")))
    assert 0 < float(str(line.pop("duration_s"))) < DEADLINE_S
    assert line == {
        "peer": host,
        "port": port,
        "listener": "front",
        "protocol": "echo",
        "in": 100_000,
        "out": 100_000,
        "reason": "eof",
    }


def test_who_was_refused_is_in_it_when_it_comes_first(pool: Pools) -> None:
    running = pool(config(JSON, 'access\ndeny = ["127.0.0.2"]'))
    assert not serves(running.urls()[0], "127.0.0.2")
    line = one_line(running)

    assert [line[key] for key in ("peer", "in", "out", "reason")] == ["127.0.0.2", 0, 0, "refused"]


def test_who_was_refused_before_it_is_not(pool: Pools) -> None:
    running = pool(config('access\ndeny = ["127.0.0.2"]', JSON))
    url = running.urls()[0]
    assert not serves(url, "127.0.0.2")
    assert serves(url, "127.0.0.1")

    assert one_line(running)["peer"] == "127.0.0.1"


def test_a_reset_peer_has_its_address_in_the_line(pool: Pools) -> None:
    running = pool(config(JSON))
    client = connect_from(running.urls()[0], "127.0.0.7")
    assert is_served(client)
    reset(client)
    line = one_line(running)

    assert [line[key] for key in ("peer", "in", "out", "reason")] == ["127.0.0.7", 6, 6, "reset"]


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_what_a_peer_never_took_was_not_sent(pool: Pools, kind: str) -> None:
    """Far more than the kernel's buffers hold: the rest is forgotten when the peer breaks off."""
    size = 50_000_000
    source = """
from corepool import hookimpl

class Pour:
    @hookimpl
    def on_readable(self, conn):
        if conn.recv() == b"memory":
            conn.send(bytes(50_000_000))
        elif not conn.eof:
            with open("blob", "wb+") as file:
                file.truncate(50_000_000)
                conn.sendfile(file, 0, 50_000_000)
"""
    running = pool(config(JSON, protocol="pour"), files=plugin_files("pour", "Pour", source))
    client = running.connect()
    client.sendall(kind.encode())
    receive_exactly(client, 1000)
    reset(client)
    line = one_line(running)

    assert [line["in"], line["reason"]] == [len(kind), "reset"]
    assert 1000 <= int(str(line["out"])) < size


def test_files_are_counted_too(pool: Pools) -> None:
    toml = config(JSON, protocol="http", listener='options = { root = "." }')
    running = pool(toml, files={"page": "p" * 300_000})
    with running.connect() as client:
        request = b"GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        client.sendall(request)
        response = receive_all(client)
    line = one_line(running)

    assert response.endswith(b"p" * 1000)
    assert [line[key] for key in ("in", "out", "reason")] == [len(request), len(response), "closed"]


def test_connections_that_a_drain_ends_are_in_it(pool: Pools) -> None:
    running = pool(config(JSON, workers=2, listener='dispatcher = "round-robin"'))
    clients = [running.connect() for _ in range(20)]
    assert all(is_served(client) for client in clients)
    running.stop()

    assert [line["reason"] for line in lines(running)] == ["drain"] * 20


@pytest.mark.parametrize("layout", ["text", "json"])
def test_a_unix_client_cannot_write_lines_of_its_own(pool: Pools, layout: str) -> None:
    url = unix_url()
    running = pool(config(f'accesslog\nformat = "{layout}"\nfile = "connections.log"', bind=url))
    name = f'\0{url[6:]} a="b"\ntime=0 peer=forged\\'
    with socket.socket(socket.AF_UNIX) as client:
        client.bind(name)
        client.settimeout(DEADLINE_S)
        client.connect("\0" + url.removeprefix("unix:@"))
        assert is_served(client)
    path = running.directory / "connections.log"
    wait_until(path.read_text)
    (line,) = path.read_text().splitlines()
    spelt = (
        json.loads(line)["peer"] if layout == "json" else json.JSONDecoder().raw_decode(line.partition("peer=")[2])[0]
    )

    assert spelt == "@" + name[1:]


def test_the_file_is_opened_anew_on_usr1(pool: Pools) -> None:
    running = pool(config(JSON))
    url, path = running.urls()[0], running.directory / "connections.log"
    assert serves(url, "127.0.0.2")
    wait_until(path.read_text)
    moved = path.rename(running.directory / "connections.log.1")
    psutil.Process(running.workers()[0]).send_signal(signal.SIGUSR1)
    wait_until(path.exists)
    assert serves(url, "127.0.0.3")

    assert one_line(running)["peer"] == "127.0.0.3"
    assert json.loads(moved.read_text())["peer"] == "127.0.0.2"


def test_a_file_that_cannot_be_opened_anew_is_kept(pool: Pools) -> None:
    running = pool(config('accesslog\nformat = "json"\nfile = "logs/connections.log"'), files={"logs/.keep": ""})
    url, folder = running.urls()[0], running.directory / "logs"
    folder.rename(running.directory / "moved")
    psutil.Process(running.workers()[0]).send_signal(signal.SIGUSR1)
    running.wait_logged("lines_not_reopened")
    assert serves(url)

    wait_until((running.directory / "moved" / "connections.log").read_text)


def test_a_reader_that_reads_nothing_stops_no_client(pool: Pools) -> None:
    wrapper = ("sh", "-c", 'mkfifo log && exec 3<>log && exec "$@" >log', "sh")
    running = pool(config("accesslog"), wrapper=wrapper)
    url = running.urls()[0]

    wait_until(lambda: serves(url) and "lines_lost" in running.stderr)


def test_a_named_pipe_without_a_reader_is_a_boot_failure_and_no_wait(pool: Pools) -> None:
    wrapper = ("sh", "-c", 'mkfifo connections.log && exec "$@"', "sh")
    running = pool(config(JSON), wrapper=wrapper, wait=False, exit_status=3)

    assert running.wait() == 3
    assert "connections.log" in running.stderr


def test_bytes_are_counted_with_and_without_an_extension(pool: Pools) -> None:
    source = """
from corepool import hookimpl

class Figures:
    @hookimpl
    def on_readable(self, conn):
        conn.recv()
        conn.send(b"%d %d" % (conn.bytes_in, conn.bytes_out))
"""
    files = plugin_files("figures", "Figures", source)
    for extensions in ((), (JSON,)):
        with connect(pool(config(*extensions, protocol="figures"), files=files).urls()[0]) as client:
            for expected in (b"2 0", b"4 3"):
                client.sendall(b"hi")
                assert receive_exactly(client, 3) == expected
