"""The extension `stores`: the applications of docs/stores.md on two workers, on this machine and on a Redis server."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from documents import DOCS
from kv_client import Client
from running_redis import running_redis

from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

PAGE = (DOCS / "stores.md").read_text()
SHOP, PAGES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
TOML, REDIS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)

WRONG = """
import corepool_kv

store = corepool_kv.current_store("cache")


async def outcome(name):
    try:
        match name:
            case "blocks":
                return store.in_thread.get("a")
            case "type":
                await store.set("list", "x")
                return await store.execute("LPUSH", "list", 1)
            case "unknown":
                return await store.execute("FOO")
            case "waits":
                return await store.execute("SUBSCRIBE", "news")
            case "word":
                return await store.set("a", None)
            case "list":
                await store.execute("DEL", "numbers")
                await store.execute("RPUSH", "numbers", 1, "two", b"three")
                return await store.execute("LRANGE", "numbers", 0, -1)
            case "lock":
                return [await store.delete("lock"), await store.add("lock", 1), await store.add("lock", 2)]
            case "expiry":
                return [await store.set("e", 1, expires=0.5), await store.expire("e", 100), await store.expire("no", 1)]
            case "push":
                return await store.execute("RPUSH", "jobs", "one")
            case "name":
                return corepool_kv.current_store("none")
    except Exception as error:
        return f"{type(error).__name__}: {error}"


async def app(scope, receive, send):
    assert scope["type"] == "http"
    body = str(await outcome(scope["path"][1:])).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.fixture(params=["this machine", "a server"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    if request.param == "this machine":
        yield {"sessions": "lmdb:sessions", "cache": "lmdb:"}
    else:
        with running_redis(tmp_path) as path:
            yield {"sessions": f"unix://{path}", "cache": f"unix://{path}?db=3"}


def toml_of(target: str, stores: dict[str, str]) -> str:
    toml = TOML.replace("127.0.0.1:8000", "127.0.0.1:0").replace("shop:app", target)
    for name, url in stores.items():
        toml = re.sub(rf'^{name} = ".*"$', f'{name} = "{url}"', toml, flags=re.MULTILINE)
    return '[pool]\nworkers = 2\ndispatcher = "round-robin"\n' + toml


def serve(pool: Pools, target: str, stores: dict[str, str], *, traceback: bool = False, **files: str) -> PoolProcess:
    named = {f"{name}.py": text for name, text in files.items()}
    return pool(toml_of(target, stores), files=named, traceback=traceback)


def with_redis(stores: dict[str, str], *, store: str = "lmdb:sessions", more: str = "") -> str:
    """Return the page's configuration, with the operator's listener, on free addresses."""
    redis = re.sub(r"bind = .*", 'bind = ["tcp://127.0.0.1:0"]', REDIS).replace('"lmdb:sessions"', f'"{store}"{more}')
    return toml_of("shop:app", stores) + redis


def ask(running: PoolProcess, path: str, method: str = "GET", cookie: str = "") -> tuple[str, str]:
    """Ask on a connection of its own, so that workers take turns; return the content and the cookie."""
    connection = http.client.HTTPConnection("127.0.0.1", int(running.urls()[0].rpartition(":")[2]), DEADLINE_S)
    try:
        connection.request(method, path, headers={"Cookie": cookie} if cookie else {})
        response = connection.getresponse()
        return response.read().decode(), (response.getheader("Set-Cookie") or "").partition(";")[0]
    finally:
        connection.close()


def test_a_session_of_flask_is_known_to_every_worker(pool: Pools, stores: dict[str, str]) -> None:
    running = serve(pool, "shop:app", stores, shop=SHOP)
    _, cookie = ask(running, "/login/ann", "POST")

    assert [ask(running, "/", cookie=cookie)[0] for _ in range(4)] == ["hello, ann\n"] * 4
    assert ask(running, "/")[0] == "log in first\n"
    running.request("reload")
    wait_until(lambda: running.status()["generation"] >= 1, what="the reload is done")
    assert ask(running, "/", cookie=cookie)[0] == "hello, ann\n"


def test_a_cache_of_starlette_is_one_for_all_workers(pool: Pools, stores: dict[str, str]) -> None:
    running = serve(pool, "pages:app", stores, pages=PAGES)

    assert [ask(running, "/one")[0] for _ in range(4)] == [f"the page of /one\n{n} views\n" for n in (1, 2, 3, 4)]


def test_replies_and_errors(pool: Pools, stores: dict[str, str]) -> None:
    running = serve(pool, "wrong:app", stores, wrong=WRONG)
    got = {
        name: ask(running, f"/{name}")[0]
        for name in ("blocks", "type", "unknown", "waits", "word", "list", "lock", "expiry", "name")
    }

    assert got["blocks"].startswith("RuntimeError: `in_thread` in the loop's thread")
    assert got["type"] == "CommandError: WRONGTYPE Operation against a key holding the wrong kind of value"
    assert got["unknown"].startswith("CommandError: ERR unknown command 'FOO'")
    assert got["waits"] == "CommandError: ERR 'subscribe' is no command on data alone"
    assert got["word"] == "TypeError: a word of a command is bytes, text or a number, and not NoneType"
    assert got["list"] == "[b'1', b'two', b'three']"
    assert got["lock"] == "[0, True, False]"
    assert got["expiry"] == "[None, True, False]"
    assert got["name"].startswith("RuntimeError: no store 'none' here; there are cache, sessions")


def test_a_server_that_is_gone_is_an_error_and_comes_back(pool: Pools, tmp_path: Path) -> None:
    with running_redis(tmp_path) as path:
        running = serve(
            pool, "pages:app", {"sessions": "lmdb:", "cache": f"unix://{path}"}, pages=PAGES, traceback=True
        )
        assert ask(running, "/one")[0].endswith("1 views\n")

    wait_until(lambda: "Internal Server Error" in ask(running, "/one")[0], what="an error")
    running.wait_logged("ERR the store has failed")
    with running_redis(tmp_path):
        wait_until(lambda: ask(running, "/one")[0].endswith("1 views\n"), what="a new server is found")


def test_the_operator_sees_the_sessions_with_redis_cli(pool: Pools) -> None:
    running = pool(with_redis({}), files={"shop.py": SHOP})
    port = running.urls("redis")[0].rpartition(":")[2]

    def redis_cli(*words: str) -> str:
        command = ["redis-cli", "-p", port, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603

    cookies = [ask(running, f"/login/{name}", "POST")[1] for name in ("ann", "bob")]
    tokens = [cookie.removeprefix("session=") for cookie in cookies]
    assert set(redis_cli("keys", "*").splitlines()) == set(tokens)
    assert redis_cli("get", tokens[0]) == "ann"
    assert 3500 < int(redis_cli("ttl", tokens[1])) <= 3600
    assert redis_cli("del", tokens[1]) == "1"
    assert [ask(running, "/", cookie=cookie)[0] for cookie in cookies * 2] == ["hello, ann\n", "log in first\n"] * 2


def test_a_client_that_waits_gets_what_the_application_pushes(pool: Pools) -> None:
    toml = with_redis({"cache": "lmdb:cache"}, store="lmdb:cache").replace("shop:app", "wrong:app")
    running = pool(toml, files={"wrong.py": WRONG})
    with running.connect("redis") as sock:
        client = Client(sock)
        client.send("BLPOP", "jobs", 0)
        assert ask(running, "/push")[0] == "1"
        assert client.receive() == [b"jobs", b"one"]


@pytest.mark.parametrize(
    ("toml", "mistake"),
    [
        (with_redis({}, more=', durability = "always"'), 'durability = "always" here, "everysec" there'),
        (with_redis({}, more=", max_bytes = 2000000"), "max_bytes = 2000000 here, 1099511627776 there"),
        (toml_of("shop:app", {"cache": "memory:"}), "extension 'stores' with these options is for 1"),
    ],
)
def test_contradictions_are_named_before_the_start(tmp_path: Path, toml: str, mistake: str) -> None:
    (tmp_path / "corepool.toml").write_text(toml)
    command = [sys.executable, "-m", "corepool", "check", "--file-only"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603

    assert done.returncode == 2
    assert mistake in done.stderr
