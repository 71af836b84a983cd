"""Mount points of ASGI applications: a proxy strips the prefix, and `path` begins with `root_path` all the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from http_client import ask, get, http_toml, parse, request
from pydantic import ValidationError
from websockets.sync.client import connect as connect_websocket

from corepool_http.options import HttpOptions

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

APPLICATION = """
import json

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    told = {key: scope[key] for key in ("root_path", "path")} | {"raw_path": scope["raw_path"].decode()}
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": json.dumps(told)})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})
"""

STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

async def item(request):
    return JSONResponse([request.scope["root_path"], request.url.path, str(request.url_for("item"))])

app = Starlette(routes=[Mount("/shop", routes=[Route("/item", item)], name="shop"), Route("/item", item, name="item")])
"""


@pytest.mark.parametrize(
    ("written", "mounted"),
    [
        ("", ""),
        ("/", ""),
        ("//", ""),
        ("api", "/api"),
        ("/api", "/api"),
        ("/api/", "/api"),
        ("api/v1/", "/api/v1"),
        ("/a%20b", "/a b"),
        ("/a b", "/a b"),
        ("/%C3%A9", "/é"),
        ("/é", "/é"),
    ],
)
def test_slashes_and_codings_of_the_option_are_one_thing(written: str, mounted: str) -> None:
    assert HttpOptions(target="a:b", root_path=written).root_path == mounted


@pytest.mark.parametrize("written", ["/api?x=1", "/api#top", "/100%", "/%zz", "/%ff", "/a\nb", "/a%00"])
def test_what_can_be_no_mount_point_is_a_mistake(written: str) -> None:
    with pytest.raises(ValidationError, match="root_path"):
        HttpOptions(target="a:b", root_path=written)


def told(pool: Pools, root_path: str, *targets: str) -> list[dict[str, Any]]:
    running = pool(http_toml(target="application:app", root_path=root_path), files={"application.py": APPLICATION})
    found = [json.loads(get(running, target).body) for target in targets]
    with connect_websocket(running.urls()[0].replace("tcp://", "ws://") + targets[0]) as socket:
        assert json.loads(socket.recv()) == found[0]
    [response] = parse(ask(running, request("*", method="OPTIONS")), ["OPTIONS"])
    assert json.loads(response.body)["path"] == "*"
    return found


def test_path_begins_with_root_path(pool: Pools) -> None:
    """As uvicorn has it since 0.26: whatever a target looks like, the proxy has stripped the prefix from it."""
    first, encoded, root, *others = told(
        pool, "/api/", "/item", "/a%20b/%C3%A9?c=d", "/", "/apix", "/api/item", "http://a/item"
    )
    assert first == {"root_path": "/api", "path": "/api/item", "raw_path": "/api/item"}
    assert (encoded["path"], encoded["raw_path"]) == ("/api/a b/é", "/api/a%20b/%C3%A9")
    assert root["path"] == "/api/"
    assert [each["path"] for each in others] == ["/api/apix", "/api/api/item", "/api/item"]


def test_a_root_path_outside_of_ascii(pool: Pools) -> None:
    [found] = told(pool, "/caf%C3%A9 1", "/item")
    assert found == {"root_path": "/café 1", "path": "/café 1/item", "raw_path": "/caf%C3%A9%201/item"}


def test_mounts_are_found_and_urls_are_whole(pool: Pools) -> None:
    running = pool(http_toml(target="application:app", root_path="/api"), files={"application.py": STARLETTE})
    assert json.loads(get(running, "/item").body) == ["/api", "/api/item", "http://a/api/item"]
    root, path, _ = json.loads(get(running, "/shop/item").body)
    assert (root, path) == ("/api/shop", "/api/shop/item")
