"""The proxies' page: its own configurations, in a real nginx and a real HAProxy, with a real pool behind them."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import re
import signal
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import documents
import pytest
from proxy_programs import PROXIES
from sources import source
from websockets.sync.client import connect as connect_websocket

from corepool.testing.sockets import reserved_port
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

PAGE = {block.file: block.text for block in documents.blocks(documents.DOCS / "howto" / "proxies.md") if block.file}
SHOP = source("served/shop.py")
[GZIP] = [block.text for block in documents.blocks(documents.DOCS / "howto" / "proxies.md") if "gzip on" in block.text]


class Proxied:
    """A pool, and the page's proxy in front of it."""

    def __init__(self, pool: PoolProcess, folder: Path, port: int) -> None:
        self.pool = pool
        self.folder = folder
        self.port = port

    def ask(self, **headers: str) -> dict[str, Any]:
        """Send a request, and give what the application was told."""
        with contextlib.closing(self.connect()) as client:
            return post(client, "", {name.replace("_", "-"): value for name, value in headers.items()})

    def connect(self, timeout_s: float = DEADLINE_S) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)


def post(client: http.client.HTTPConnection, content: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    # POST: what a proxy would not send a second time.
    client.request("POST", "/", content, headers or {})
    response = client.getresponse()
    told = response.read()
    assert response.status == 200, told
    return json.loads(told)  # type: ignore[no-any-return]


@pytest.fixture(params=["nginx unix", "nginx tcp", "haproxy unix", "haproxy tcp"])
def proxied(request: pytest.FixtureRequest, pool: Pools) -> Iterator[Proxied]:
    """Return a pool behind each proxy, each way, configured as the page says: but for ports, folders and the user."""
    kind, way, *pace = request.param.split()
    with tempfile.TemporaryDirectory(prefix="corepool-") as name, contextlib.ExitStack() as reserved:
        folder = Path(name)
        ports = {number: str(reserved.enter_context(reserved_port())) for number in ("8000", "9007", "80")}

        def here(text: str) -> str:
            if way == "tcp":
                text = re.sub(r"unix[:@]/run/shop/http.sock( |;)", r"127.0.0.1:8000\1", text)
            text = text.replace("listen 80", "listen 127.0.0.1:80").replace("bind :80", "bind 127.0.0.1:80")
            text = re.sub(r"(127\.0\.0\.1(?::| port ))(\d+)", lambda found: found[1] + ports[found[2]], text)
            if "gzip" in pace:
                text = text.replace("client_max_body_size 20m;", f"client_max_body_size 20m;\n{GZIP}")
            text = text.replace("/run/shop", name).replace("inter 2s", "inter 100ms" if pace else "inter 2s")
            return text.replace('workers = "auto"', "workers = 2")

        for page_name in ("shop.conf", "haproxy.cfg"):
            (folder / page_name).write_text(here(PAGE[page_name]))
        running = pool(
            here(PAGE["corepool.toml"]),
            files={"shop.py": SHOP},
            environment={
                "PYTHONDONTWRITEBYTECODE": "1",
                "COREPOOL_POOL_RESPAWN_DELAY": "100ms",
                "COREPOOL_POOL_RESPAWN_DELAY_MAX": "100ms",
            },
            traceback=True,  # of one test, whose application can't start
        )
        with PROXIES[kind](folder, int(ports["80"])):
            yield Proxied(running, folder, int(ports["80"]))


def test_the_application_is_told_of_the_client_and_of_nothing_that_the_client_made_up(proxied: Proxied) -> None:
    lies = {
        "Forwarded": "for=6.6.6.6;proto=https;host=evil.example",
        "X_Forwarded_For": "6.6.6.6",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "evil.example",
    }

    told = proxied.ask(Host="shop.example", **lies)

    assert (told["client"], told["scheme"], told["headers"]["host"]) == ("127.0.0.1", "http", "shop.example")
    assert told["headers"]["x-request-id"]


@pytest.mark.parametrize("proxied", ["nginx unix gzip"], indirect=True)
def test_nginx_compresses_large_responses_for_clients_that_take_it(proxied: Proxied) -> None:
    with contextlib.closing(proxied.connect()) as client:
        found = []
        for content, accepted in (("x" * 9000, "gzip"), ("x" * 9000, "identity"), ("x", "gzip")):
            client.request("POST", "/", content, {"Accept-Encoding": accepted})
            response = client.getresponse()
            data = response.read()
            coding = response.headers["Content-Encoding"]
            found.append(coding)
            told = json.loads(gzip.decompress(data) if coding else data)
            assert told["content"] == content
    assert found == ["gzip", None, None]


def test_the_proxy_keeps_its_connections_to_the_pool(proxied: Proxied) -> None:
    before = proxied.pool.status()["listeners"][0]["accepted"]

    for _ in range(20):
        proxied.ask()

    assert proxied.pool.status()["listeners"][0]["accepted"] - before <= 2


def test_a_websocket_is_upgraded(proxied: Proxied) -> None:
    with connect_websocket(f"ws://127.0.0.1:{proxied.port}/") as client:
        client.send("hello")
        assert client.recv(DEADLINE_S) == "HELLO"


def test_a_reload_of_the_pool_fails_no_request(proxied: Proxied) -> None:
    is_over = threading.Event()
    failures: list[str] = []
    versions: list[list[str]] = [[], [], [], []]

    def load(seen: list[str], *, keeps: bool) -> None:
        client = proxied.connect()
        while not is_over.is_set():
            try:
                told = post(client, "x" * 2000)
                seen.append(told["version"])
                assert len(told["content"]) == 2000
            except (OSError, http.client.HTTPException, AssertionError, ValueError) as error:
                failures.append(repr(error))
                client.close()
            if not keeps:
                client.close()
        client.close()

    threads = [threading.Thread(target=load, args=(seen,), kwargs={"keeps": i % 2}) for i, seen in enumerate(versions)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: all("one" in seen for seen in versions), what="every client has been answered")
        (proxied.pool.directory / "shop.py").write_text(SHOP.replace('"one"', '"two"'))
        reply = proxied.pool.request("reload")
        assert reply["ok"], reply
        wait_until(lambda: all(seen[-1] == "two" for seen in versions), what="every client has met the new code")
    finally:
        is_over.set()
        for thread in threads:
            thread.join()

    assert failures == [], (proxied.folder / "proxy.txt").read_text()


@pytest.mark.parametrize("proxied", ["haproxy unix hasty", "haproxy tcp hasty"], indirect=True)
def test_the_proxy_knows_when_the_pool_can_not_answer(proxied: Proxied) -> None:
    def status() -> int:
        # A request passed on just before waits for a worker.
        with contextlib.closing(proxied.connect(timeout_s=0.5)) as client, contextlib.suppress(TimeoutError):
            client.request("GET", "/")
            return client.getresponse().status
        return 0

    module = proxied.pool.directory / "shop.py"
    module.write_text("raise RuntimeError")
    for worker in proxied.pool.status()["workers"]:
        if worker["pool"] == "web":
            os.kill(worker["pid"], signal.SIGKILL)

    wait_until(lambda: status() == 503, what="the proxy answers for a pool that is not ready")
    module.write_text(SHOP)
    wait_until(lambda: status() == 200, what="the pool is back")
