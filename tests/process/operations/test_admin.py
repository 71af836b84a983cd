"""Probes and metrics: they answer whatever the workers of the pool do."""

from __future__ import annotations

import json
import os
import signal
import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from http_client import ask, get, parse, request
from operated import blocked_workers, reload_by_signal, start
from prometheus_client.parser import text_string_to_metric_families

from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

BLOCKED = """
import os, time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/block":
        open(f"blocked-{os.getpid()}", "w").close()
        time.sleep(5)
    start_response("200 OK", [])
    return [b"done"]
"""
ADMIN = """
[pool]
workers = 1
[[listener]]
name = "admin"
bind = ["tcp://127.0.0.1:0"]
protocol = "admin"
[listener.options]
control = "{control}"
{options}
"""


def admin_of(pool: Pools, running: PoolProcess, options: str = "") -> PoolProcess:
    return pool(ADMIN.format(control=running.control, options=options))


def metrics(admin: PoolProcess) -> dict[tuple[str, str], float]:
    text = get(admin, "/metrics").body.decode()
    return {
        (sample.name, "/".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_it_answers_while_every_worker_is_blocked(pool: Pools) -> None:
    running = start(pool, application=BLOCKED, dispatcher="round-robin")
    admin = admin_of(pool, running)
    with blocked_workers(running, running.urls()[0], "/block"):
        for path in ("/livez", "/readyz", "/status", "/metrics"):
            assert get(admin, path).status == 200


def test_status_probes_and_metrics_are_true(pool: Pools) -> None:
    running = start(pool)
    admin = admin_of(pool, running)
    assert json.loads(get(admin, "/status").body)["pid"] == running.pid
    assert get(admin, "/readyz").body == b"ready: 2 of 2 workers are ready\n"
    for _ in range(3):
        get(running, "/")
    wait_until(lambda: metrics(admin)["corepool_listener_accepted_total", "http"] == 3)
    seen = metrics(admin)
    assert seen["corepool_workers_ready", "main"] == seen["corepool_workers_wanted", "main"] == 2
    assert seen["corepool_worker_resident_bytes", "main/1"] > 1_000_000
    wait_until(lambda: metrics(admin)["corepool_listener_bytes_in_total", "http"] > 0)
    wait_until(lambda: metrics(admin)["corepool_bytes_out_total", ""] > 0)
    assert metrics(admin)["corepool_listener_hook_errors_total", "http"] == 0

    reload_by_signal(running)
    os.kill(running.workers()[0], signal.SIGKILL)
    wait_until(lambda: metrics(admin)["corepool_restarts_total", ""] == 1)
    after = metrics(admin)
    assert after["corepool_generation", ""] == 1
    counters = [key for key in seen if key[0].endswith("_total")]
    assert counters
    assert all(after[key] >= seen[key] for key in counters), "a counter went backwards"


def test_too_few_workers_are_not_ready(pool: Pools) -> None:
    running = start(pool)
    admin = admin_of(pool, running, "min_ready = 3")
    assert get(admin, "/readyz").status == 503
    assert get(admin, "/livez").status == 200


def test_a_master_that_is_gone_or_stuck_is_not_alive(pool: Pools) -> None:
    running = start(pool)
    admin = admin_of(pool, running, "timeout = 0.2")
    os.kill(running.pid, signal.SIGSTOP)
    try:
        response = get(admin, "/livez")
    finally:
        os.kill(running.pid, signal.SIGCONT)
    assert (response.status, b"does not answer" in response.body) == (503, True)
    assert get(admin, "/livez").status == 200
    running.stop()
    assert get(admin, "/readyz").status == 503


def test_a_status_of_another_version_is_an_error_and_not_silence(pool: Pools, tmp_path: Path) -> None:
    with other_master(tmp_path / "control", {"pid": 1}) as control:
        admin = pool(ADMIN.format(control=control, options=""), traceback=True)
        requests = [request(path, close=False) for path in ("/readyz", "/metrics")] + [request("/status")]
        responses = parse(ask(admin, b"".join(requests)), ["GET"] * 3)

    assert [each.status for each in responses] == [500, 500, 200]
    assert json.loads(responses[2].body) == {"pid": 1}
    admin.wait_logged("KeyError")


@contextmanager
def other_master(path: Path, status: object) -> Iterator[Path]:
    """Answer every question for the status with what it is given."""
    line = json.dumps({"result": status}).encode() + b"\n"

    class Answer(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(line)

    with socketserver.UnixStreamServer(str(path), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield path
        finally:
            server.shutdown()
            thread.join()


def test_requests_that_are_none_of_its_own(pool: Pools) -> None:
    running = start(pool)
    admin = admin_of(pool, running)
    assert get(admin, "/other").status == 404
    refused = get(admin, "/livez", method="DELETE")
    assert (refused.status, refused.header("Allow")) == (405, "GET, HEAD")
    head = get(admin, "/livez", method="HEAD")
    assert (head.status, head.header("Content-Length"), head.body) == (200, "3", b"")
    assert get(admin, "http://any.example/livez?x=/other").status == 200
    both = request("/livez", close=False) + request("/readyz?x=y")
    assert [each.status for each in parse(ask(admin, both), ["GET", "GET"])] == [200, 200]
    many = parse(ask(admin, request("/livez", close=False) * 40 + request("/readyz")), ["GET"] * 41)
    assert [each.status for each in many] == [200] * 41
    content = request("/livez", content=b"x", close=False)
    chunked = request("/livez", "Transfer-Encoding: chunked", close=False) + b"1\r\nx\r\n0\r\n\r\n"
    wrong = (
        (b"nonsense\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", 400),
        (content + content, 400),
        (chunked + chunked, 400),
        (b"GET /" + b"x" * 10_000, 414),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 10_000 + b"\r\nB", 431),
    )
    for data, status in wrong:
        [answer] = parse(ask(admin, data), ["GET"])
        assert (answer.status, answer.header("Connection")) == (status, "close")
    upgrade = request("/livez", "Connection: Upgrade", "Upgrade: websocket", close=False)
    assert [each.status for each in parse(ask(admin, upgrade + request("/readyz")), ["GET"] * 2)] == [200, 200]
    with connect(admin.urls()[0]) as gone:  # before its answer
        gone.sendall(request("/status"))
    assert get(admin, "/livez").status == 200
