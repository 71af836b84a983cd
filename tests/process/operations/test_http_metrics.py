"""The metrics of HTTP listeners, read as Prometheus reads them."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from http_client import ask, get, receive_response, request
from prometheus_client.parser import text_string_to_metric_families

from corepool.testing.sockets import connect, reset
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

APPLICATION = """
import os, time

def app(environ, start_response):
    path = environ["PATH_INFO"]
    while path == "/wait" and not os.path.exists("go"):
        time.sleep(0.01)
    start_response({"/missing": "404 Not Found", "/broken": "500 Oh No"}.get(path, "200 OK"), [])
    return [b"done"]
"""
CONFIG = """
[[pool]]
name = "web"
workers = 2
[[pool]]
name = "admin"
workers = 1
[[listener]]
name = "shop"
pool = "web"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
options = {target = "application:app", threads = 4}
[[listener]]
name = "blog"
pool = "web"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
options = {target = "application:app"}
[[listener]]
name = "metrics"
pool = "admin"
bind = ["tcp://127.0.0.1:0"]
protocol = "admin"
"""

Key = tuple[str, frozenset[tuple[str, str]]]


def start(pool: Pools) -> PoolProcess:
    return pool(CONFIG, files={"application.py": APPLICATION}, traceback=True)


def scrape(running: PoolProcess) -> dict[Key, float]:
    text = get(running, "/metrics", listener="metrics").body.decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def requests_of(seen: dict[Key, float], listener: str) -> dict[tuple[str, str], int]:
    found = {}
    for (name, labels), value in seen.items():
        own = dict(labels)
        if name == "corepool_http_requests_total" and own["listener"] == listener and value:
            found[own["method"], own["status"]] = int(value)
    return found


def value(seen: dict[Key, float], name: str, **labels: str) -> float:
    its_protocol = {"protocol": "http"} if "listener" in labels else {}
    return seen[name, frozenset({**its_protocol, **labels}.items())]


def test_requests_are_counted_by_listener_method_and_class_of_status(pool: Pools) -> None:
    running = start(pool)
    for path in ("/", "/", "/missing", "/broken"):
        get(running, path, listener="shop")
    get(running, "/", listener="shop", method="POST")
    get(running, "/", listener="shop", method="PROPFIND")
    get(running, "/", listener="blog", method="HEAD")
    ask(running, b"nonsense\r\n\r\n", listener="blog")
    with connect(running.urls("shop")[0]) as client, connect(running.urls("shop")[0]) as leaving:
        for each in (client, leaving):
            each.sendall(request("/wait"))
        wait_until(lambda: value(scrape(running), "corepool_http_requests_in_flight", listener="shop") == 2)
        reset(leaving)
        wait_until(lambda: value(scrape(running), "corepool_http_requests_in_flight", listener="shop") == 1)
        (running.directory / "go").touch()
        assert receive_response(client).status == 200

    expected = {
        ("GET", "2xx"): 3,
        ("GET", "4xx"): 2,
        ("GET", "5xx"): 1,
        ("POST", "2xx"): 1,
        ("other", "2xx"): 1,
    }
    wait_until(lambda: requests_of(scrape(running), "shop") == expected)
    wait_until(lambda: requests_of(scrape(running), "blog") == {("HEAD", "2xx"): 1, ("other", "4xx"): 1})
    wait_until(lambda: value(scrape(running), "corepool_http_requests_in_flight", listener="shop") == 0)
    seen = scrape(running)
    name = "corepool_http_request_duration_seconds"
    assert value(seen, f"{name}_bucket", listener="shop", le="+Inf") == value(seen, f"{name}_count", listener="shop")
    assert value(seen, f"{name}_count", listener="shop") == sum(expected.values())
    assert value(seen, f"{name}_sum", listener="shop") > 0

    for worker in running.status()["workers"]:
        if worker["pool"] == "web":
            os.kill(worker["pid"], signal.SIGKILL)
    wait_until(lambda: value(scrape(running), "corepool_restarts_total") == 2)
    assert requests_of(scrape(running), "shop") == expected, "what dead workers have counted is kept"


def test_a_scrape_counts_once(pool: Pools) -> None:
    running = start(pool)
    for _ in range(3):
        scrape(running)

    wait_until(lambda: running.status()["totals"]["requests"] >= 3)
    status = running.status()
    [listener] = [each for each in status["listeners"] if each["name"] == "metrics"]
    assert status["totals"]["requests"] == listener["accepted"] == 3
    assert sum(listener["protocols"][0]["metrics"][0]["cells"]) == 3


def test_a_worker_is_seen_with_its_cpu_time_and_the_build(pool: Pools) -> None:
    running = start(pool)
    wait_until(lambda: value(scrape(running), "corepool_worker_cpu_seconds", pool="web", slot="0") > 0)
    seen = scrape(running)
    [build] = [dict(labels) for name, labels in seen if name == "corepool_build_info"]
    assert build["version"] == running.status()["version"]
    assert build["compiled"] in ("true", "false")
    assert value(seen, "corepool_worker_heartbeat_age_seconds", pool="web", slot="0") >= 0
