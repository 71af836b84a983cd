"""Which of several protocols a connection has: the decision, and the answers of http and kv."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool.plugins.recognition import MAX_LOOKED_AT, Recogniser, find_mistakes
from corepool_http.http1.recognition import is_http
from corepool_kv.redis.recognition import is_redis

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = bool | None


class Asked:
    """A protocol that is recognised by a function."""

    def __init__(self, matches: Callable[[bytes], Any]) -> None:
        self.matches = matches


class Silent:
    """A protocol that is not."""


def begins(word: bytes) -> Asked:
    def matches(data: bytes) -> Answer:
        return True if data.startswith(word) else None if word.startswith(data) else False

    return Asked(matches)


HTTP, KV = Asked(is_http), Asked(is_redis)
CHOICES: dict[bytes, str] = {
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n": "http",
    b"GET / HTTP/1.0\n\n": "http",
    b"\r\nGET / HTTP/1.1\r\n\r\n": "http",
    b"PUT / HTTP/1.1\r\n": "http",
    b"COPY /a HTTP/1.1\r\nDestination: /b\r\n": "http",
    b"OPTIONS * HTTP/1.1\r\n": "http",
    b"CONNECT example.org:443 HTTP/1.1\r\n": "http",
    b"GET http://example.org/ HTTP/1.1\r\n": "http",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": "http",
    b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\n": "http",
    b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n": "http",
    b"*1\r\n$4\r\nPING\r\n": "kv",
    b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n": "kv",
    b"PING\r\n": "kv",
    b"ping\n": "kv",
    b"GET key\r\n": "kv",
    b"GET /key\r\n": "kv",
    b"SET key value\r\nGET key\r\n": "kv",
    b"set key " + b"v" * 2000: "kv",
    b"EHLO example.org\r\n": "",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03": "",
    b"SSH-2.0-OpenSSH_9.2\r\n": "",
    b"\x10\x1a\x00\x04MQTT": "",
    b"GET / FTP/1.0\r\n": "kv",
    b"FETCH / FTP/1.0\r\n": "",
    b"HTTP/1.1 200 OK\r\n": "",
    b"\x00": "",
    b"*x\r\n": "",
    b"GET": "",
    b"GET /": "",
    b"~" * 2000: "",
}


def decide(recogniser: Recogniser, stream: bytes, pieces: list[int]) -> str:
    """Return the choice for a stream that comes in pieces of these sizes, and then ends."""
    arrived = 0
    for size in [*pieces, len(stream)]:
        arrived = min(len(stream), arrived + size)
        data = stream[:arrived][:MAX_LOOKED_AT]
        choice = recogniser.choose(data, is_all=len(data) == MAX_LOOKED_AT) if data else None
        if choice is not None:
            return choice
    found = recogniser.choose(stream[:MAX_LOOKED_AT], is_all=True)
    assert found is not None
    return found


@pytest.mark.parametrize("stream", CHOICES, ids=lambda stream: repr(stream[:24]))
@pytest.mark.parametrize("names", [["http", "kv"], ["kv", "http"]], ids=", ".join)
def test_http_and_kv_are_told_apart_in_either_order_and_byte_by_byte(names: list[str], stream: bytes) -> None:
    recogniser = Recogniser([(name, {"http": HTTP, "kv": KV}[name]) for name in names], None)

    assert decide(recogniser, stream, []) == CHOICES[stream]
    assert decide(recogniser, stream, [1] * len(stream)) == CHOICES[stream]


WORDS = (b"GET ", b"POST ", b"get", b"*", b"1", b"\r", b"\n", b" ", b"/", b"HTTP/1.1", b"PING", b"k", b"\x00", b"$3")
STREAMS = st.one_of(
    st.binary(min_size=1, max_size=60),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(b"".join),
    st.sampled_from(list(CHOICES)),
    st.tuples(st.sampled_from(list(CHOICES)), st.integers(1, 40)).map(lambda cut: cut[0][: cut[1]]),
)


@given(STREAMS, st.lists(st.integers(1, 20), max_size=30), st.permutations(["http", "kv", "mine"]))
def test_the_same_bytes_have_the_same_protocol_however_they_are_cut(
    stream: bytes, pieces: list[int], names: list[str]
) -> None:
    protocols = {"http": HTTP, "kv": KV, "mine": begins(b"GET k")}
    recogniser = Recogniser([(name, protocols[name]) for name in names], "mine")

    assert decide(recogniser, stream, pieces) == decide(recogniser, stream, [])


@pytest.mark.parametrize("matches", [is_http, is_redis])
@given(stream=STREAMS, more=st.binary(max_size=40))
def test_an_answer_stays_with_more_bytes(matches: Callable[[bytes], Answer], stream: bytes, more: bytes) -> None:
    before, after = matches(stream), matches(stream + more)

    assert before is None or after is before
    assert all(matches(stream[:end]) in (None, after) for end in range(1, len(stream)) if after is not None)


def test_a_protocol_that_needs_more_bytes_is_not_overtaken() -> None:
    recogniser = Recogniser([("long", begins(b"abcd")), ("short", begins(b"a"))], None)

    assert recogniser.choose(b"abc", is_all=False) is None
    assert recogniser.choose(b"abcd", is_all=False) == "long"
    assert recogniser.choose(b"abx", is_all=False) == "short"
    assert recogniser.choose(b"abc", is_all=True) == "short"


def test_without_a_match_the_default_serves() -> None:
    asked = [("mine", begins(b"MINE")), ("smtp", Silent())]

    assert Recogniser(asked, "smtp").choose(b"EHLO", is_all=False) == "smtp"
    assert Recogniser(asked[:1], None).choose(b"EHLO", is_all=False) == ""
    assert Recogniser(asked, "smtp").choose(b"MI", is_all=False) is None
    assert Recogniser(asked, "smtp").choose(b"MI", is_all=True) == "smtp"
    assert Recogniser(asked, "smtp").choose(b"", is_all=True) == "smtp"
    assert Recogniser(asked, "smtp").choose(b"", is_all=False) is None


@pytest.mark.parametrize("answer", [1, 0, "yes", b""])
def test_an_answer_of_another_type_is_an_error(answer: object) -> None:
    with pytest.raises(TypeError, match=r"of protocol 'mine' has returned .*; expected True, False or None"):
        Recogniser([("mine", Asked(lambda _: answer))], None).choose(b"x", is_all=False)


def test_protocols_that_would_never_be_chosen_are_found() -> None:
    takes_all = Asked(lambda _: True)

    assert list(find_mistakes([("http", HTTP), ("kv", KV), ("all", takes_all)], None)) == []
    assert list(find_mistakes([("echo", Silent()), ("http", HTTP)], "echo")) == []
    [(name, mistake)] = find_mistakes([("http", HTTP), ("echo", Silent())], None)
    assert (name, mistake) == ("echo", 'it has no `matches`, and only the default can do without one: default = "echo"')
    [(name, mistake)] = find_mistakes([("all", takes_all), ("http", HTTP)], None)
    assert (name, mistake) == ("http", "'all' before it matches every connection; put that one last")
