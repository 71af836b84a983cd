"""Routing and requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grid.client import Site

FORWARDED = (("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "example.org"), ("X-Forwarded-For", "192.0.2.7"))


def a_query(site: Site) -> None:
    assert site.get("/hello?name=world").text == "hello world"


def path_parameter(site: Site) -> None:
    assert site.get("/items/17").json == {"id": 17}


def path_parameter_of_another_type(site: Site) -> None:
    assert site.get("/items/seventeen").status in {400, 404, 422}


def percent_encoded_path(site: Site) -> None:
    assert site.get("/names/a%20b%3Fc%25d").text == "a b?c%d"


def utf8_path(site: Site) -> None:
    assert site.get("/names/caf%C3%A9%E2%82%AC").text == "café€"


def path_that_is_no_utf8(site: Site) -> None:
    assert site.get("/names/caf%E9").status in {200, 400, 404}
    site.assert_serves()


def query_repeated_empty_plus_and_utf8(site: Site) -> None:
    # Sorted: not every framework keeps the order of names.
    assert sorted(site.get("/query?a=1&a=2&b=&c=x+y%2B&d=%C3%A9").json) == [
        ["a", "1"],
        ["a", "2"],
        ["b", ""],
        ["c", "x y+"],
        ["d", "é"],
    ]


def no_query(site: Site) -> None:
    assert site.get("/query").json == []
    assert site.get("/query?").json == []


def methods(site: Site) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        assert site.ask(method, "/method").text == method


def method_options(site: Site) -> None:
    answer = site.ask("OPTIONS", "/method")
    assert answer.status in {200, 204}


def method_head(site: Site) -> None:
    answer = site.ask("HEAD", "/large")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("content-length") == str(5 * 1024 * 1024)


def method_that_is_not_allowed(site: Site) -> None:
    answer = site.ask("DELETE", "/hello?name=x")
    assert answer.status == 405


def nothing_there(site: Site) -> None:
    assert site.get("/nothing-there").status == 404


def url_of_the_request(site: Site) -> None:
    answer = site.get("/where?a=b").json
    assert answer["url"] == f"http://{site.host()}/where?a=b"
    assert answer["client"] == "127.0.0.1"


def url_behind_a_proxy(site: Site) -> None:
    answer = site.get("/where?a=b", *FORWARDED).json
    assert answer["url"] == "https://example.org/where?a=b"
    assert answer["client"] == "192.0.2.7"


def redirect(site: Site) -> None:
    answer = site.get("/redirect")
    assert answer.status in {302, 303, 307}
    assert answer.header("location") in {f"http://{site.host()}/hello?name=x", "/hello?name=x"}


def redirect_behind_a_proxy(site: Site) -> None:
    assert site.get("/redirect", *FORWARDED).header("location") == "https://example.org/hello?name=x"


def mounted_by_the_framework(site: Site) -> None:
    assert site.get("/sub/where?a=b").json["url"] == f"http://{site.host()}/sub/where?a=b"


def prefix_that_the_proxy_strips(site: Site) -> None:
    answer = site.get("/where", listener="mounted").json
    assert answer["url"] == f"http://{site.host('mounted')}/api/where"


def prefix_and_a_mount(site: Site) -> None:
    answer = site.get("/sub/where", listener="mounted").json
    assert answer["url"] == f"http://{site.host('mounted')}/api/sub/where"


def prefix_and_a_redirect(site: Site) -> None:
    answer = site.get("/redirect", *FORWARDED, listener="mounted")
    assert answer.header("location") == "https://example.org/api/hello?name=x"


def headers(site: Site) -> None:
    answer = site.get("/headers", ("X-Thing", "one"), ("Accept-Language", "de, en;q=0.5"), ("X-Empty", "")).json
    assert answer["x-thing"] == ["one"]
    assert answer["accept-language"] == ["de, en;q=0.5"]
    assert answer["x-empty"] == [""]


def header_in_several_lines(site: Site) -> None:
    answer = site.get("/headers", ("X-Thing", "one"), ("X-Thing", "two")).json
    assert ",".join(answer["x-thing"]).replace(" ", "") == "one,two"


def header_of_20_000_bytes(site: Site) -> None:
    assert site.get("/headers", ("X-Thing", "x" * 20_000)).json["x-thing"] == ["x" * 20_000]


def header_with_bytes_above_127(site: Site) -> None:
    assert site.get("/headers", ("X-Thing", "caf\xe9")).status == 200


def cookies(site: Site) -> None:
    assert site.get("/cookies", ("Cookie", "a=1; b=two; c=")).json == {"a": "1", "b": "two", "c": ""}


def cookies_in_several_lines(site: Site) -> None:
    assert site.get("/cookies", ("Cookie", "a=1"), ("Cookie", "b=2")).json == {"a": "1", "b": "2"}


def no_cookies(site: Site) -> None:
    assert site.get("/cookies").json == {}
