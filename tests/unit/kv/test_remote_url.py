"""URLs of stores on other servers: their parts, their mistakes, and the secrets that they have."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from redis.connection import parse_url

from corepool.config.annotations import without_secrets
from corepool_kv.redis.options import KvOptions
from corepool_kv.stores.remote_url import Server, parse_remote_url


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1",
        "redis://127.0.0.1:7000/3",
        "redis://:p%40ss@example.org:1/0",
        "redis://[::1]:6380",
        "rediss://user:pw@example.org",
    ],
)
def test_the_parts_are_those_that_redis_py_finds(url: str) -> None:
    expected = parse_url(url)
    got = parse_remote_url(url)

    assert got.servers == (Server(expected["host"], expected.get("port", 6379)),)
    assert got.password == expected.get("password", "")
    assert got.user == expected.get("username", "")
    assert got.database == expected.get("db")
    assert got.tls == ("connection_class" in expected)


def test_a_socket_file_and_a_cluster() -> None:
    assert parse_remote_url("unix:///run/redis%20one.sock?db=2").servers == (Server("/run/redis one.sock", 0),)
    assert parse_remote_url("unix://:pw@/run/redis.sock?db=2").database == 2
    assert parse_remote_url("cluster://a:1,b,[::1]:3").servers == (Server("a", 1), Server("b", 6379), Server("::1", 3))


@pytest.mark.parametrize(
    ("url", "mistake"),
    [
        ("redis:host", "expected redis://, with two slashes"),
        ("redis://", "expected HOST:PORT"),
        ("redis://host:port", "has a port that is no number from 1 to 65535"),
        ("redis://host:70000", "has a port that is no number from 1 to 65535"),
        ("redis://host/abc", "has the database 'abc'; expected a number"),
        ("redis://a:1,b:2", "has several servers; those of a cluster are written cluster://HOST:PORT,HOST:PORT"),
        ("cluster://a:1/3", "has a database; a cluster has none but 0"),
        ("cluster://a:1,,b:2", "expected HOST:PORT"),
        ("unix://run/redis.sock", "expected unix:///PATH, with three slashes"),
        ("redis://me:pa/ss@host", "has a character in its password that ends it in a URL: write / as %2F, ? as %3F"),
        ("unix:///", "expected the path of a socket"),
        ("redis://user@host", "has a user without a password; a password alone is written :PASSWORD@"),
        ("redis://host?timeout=3", "has 'timeout' behind its '?'; redis:// knows nothing there"),
        ("rediss://host?ca=/nowhere", "its certificates can't be used: No such file or directory"),
        ("cluster://host?ca=/nowhere", "has certificates without tls=true"),
        ("redis://:a#b@host", "has a '#', which belongs to no URL of a store; in a password it is written %23"),
    ],
)
def test_mistakes_are_named(url: str, mistake: str) -> None:
    with pytest.raises(ValueError, match=r"^expected|^has|^its") as raised:
        parse_remote_url(url)

    assert str(raised.value) == mistake


def test_an_option_of_local_stores_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="`durability` is for a store on this machine"):
        KvOptions(store="redis://127.0.0.1", durability="always")


@pytest.mark.parametrize(
    "url", ["redis://:hunter2@host/1", "cluster://me:hunter2@a:1,b:2", "rediss://:hunter2@[::1]:1"]
)
def test_a_password_is_not_shown(url: str) -> None:
    parsed = parse_remote_url(url)
    shown = without_secrets({"store": url}, KvOptions)

    assert "hunter2" not in f"{shown} {parsed} {parsed!r}"
    assert url.rpartition("@")[2] in str(shown)
