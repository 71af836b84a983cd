"""Every reply is what Debian's memcached answers, over random sequences of commands, cut anywhere.

Differences by design are kept out of the sequences: a number that decr has made shorter is padded with blanks by
memcached alone; a touch gives our items another CAS; a refused `set` takes its value with it. A CAS is compared by what
it does.
"""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kv_words import one_of, words
from running_memcached import Client, memcached_toml, running_memcached
from running_redis import running_redis

from corepool.testing.sockets import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kv_words import Words

    from corepool.testing.pools import Pools

KEY = st.sampled_from(["a", "b", "c", "k" * 250])
ANY_KEY = st.one_of(KEY, KEY, KEY, st.just("k" * 251))
VALUE = st.sampled_from(["", "1", "x", "18446744073709551615", "hello world", "get a\r\nmn\r\n", "007", "LARGE"])
TIME = st.sampled_from(["0", "0", "100", "-1", "2592000", "4294967295", "99999999999"])
ODD_TIME = st.one_of(TIME, st.sampled_from(["x", "1.5", ""]))
FLAGS = st.sampled_from(["0", "1", "4294967295"])
DELTA = st.sampled_from(["1", "10", "18446744073709551615", "18446744073709551616", "-1", "x", "007"])
NOREPLY = st.sampled_from([(), (), ("noreply",)])
KEYS = st.lists(ANY_KEY, max_size=3).map(tuple)
OPAQUE = st.sampled_from([(), ("O12",), ("k",), ("O12", "k"), ("q",), ("q", "k")])
WRONG = st.sampled_from([("O" + "x" * 40,), ("k", "k"), ("Y",), ("Tx",)])
"""One at a time: which of several mistakes is told is not compared."""
RETURNED = st.lists(st.sampled_from("kfstv"), max_size=4, unique=True).map(tuple)
NUMBERED = st.sampled_from([(), (), ("T0",), ("T100",), ("T-1",), ("N100",), ("R1000",), ("R0", "N0")])
MODES = st.sampled_from([(), (), ("ME",), ("MA",), ("MP",), ("MR",), ("MS",), ("me",)])
CAS = "<cas>"
"""Stands for the CAS that each server has told last."""

PLAIN = st.one_of(
    words(st.sampled_from(["get", "get", "get"]), KEYS),
    words("gat", ODD_TIME, KEYS),
    words("touch", ANY_KEY, ODD_TIME, NOREPLY),
    words(st.sampled_from(["incr", "incr"]), ANY_KEY, DELTA, NOREPLY),
    words("delete", ANY_KEY, st.sampled_from([(), (), ("0",), ("noreply",), ("1",), ("0", "noreply")])),
    words("mg", ANY_KEY, NUMBERED, RETURNED, OPAQUE.filter(lambda flags: "k" not in flags)),
    words("mg", KEY, NUMBERED, RETURNED),
    words("md", ANY_KEY, OPAQUE, st.sampled_from([(), ("I",), ("I", "T100"), ("C1",)])),
    words(
        "ma",
        ANY_KEY,
        OPAQUE,
        st.sampled_from([(), ("v",), ("v", "t"), ("N100", "J5", "v"), ("N100",), ("D7",), ("MI", "T9")]),
    ),
    words(st.sampled_from(["flush_all", "verbosity", "version", "me", "get", "foo", "", "stats nosuch", "shutdown"])),
    words("flush_all", st.sampled_from(["0", "-1", "x", "noreply", "0 noreply", "0 1 2"])),
)
STORING = st.one_of(
    words(
        st.sampled_from(["set", "set", "add", "replace", "append", "prepend"]),
        KEY,
        FLAGS,
        TIME,
        "<bytes>",
        NOREPLY,
        VALUE,
    ),
    words("ms", KEY, "<bytes>", OPAQUE, MODES, st.sampled_from([(), ("T100",), ("T-1",), ("F7",)]), VALUE),
    words("ms", KEY, "<bytes>", WRONG, VALUE),
    words("ms", KEY, "<bytes>", one_of(("MZ",), ("Mset",), ("Fx",), ("Cx",)), VALUE),
    words("cas", KEY, FLAGS, TIME, "<bytes>", st.sampled_from([CAS, "1"]), NOREPLY, VALUE),
    words("ms", KEY, "<bytes>", st.sampled_from([(f"C{CAS}",), ("C1",), ("C1", "I")]), OPAQUE, VALUE),
)
OF_CAS = words("gets", KEY)

COMMAND = st.one_of(PLAIN, STORING, STORING, OF_CAS)


def encode(command: Words, cas: bytes) -> bytes:
    command = tuple("x" * 70_000 if word == "LARGE" else word for word in command)  # Hypothesis would print it
    stores = "<bytes>" in command
    line = command[:-1] if stores else command
    text = " ".join(line).replace(CAS, cas.decode())
    if not stores:
        return text.encode() + b"\r\n"
    return f"{text.replace('<bytes>', str(len(command[-1])))}\r\n{command[-1]}\r\n".encode()


class Server:
    """A server, and the CAS that it has told last."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._cas = b"1"

    def run(self, command: Words, cuts: list[int]) -> bytes:
        stream = encode(command, self._cas)
        places = sorted({each % (len(stream) + 1) for each in cuts})
        parts = [stream[begin:end] for begin, end in zip([0, *places], [*places, len(stream)], strict=True)]
        # Their clocks begin a second at different moments.
        reply = re.sub(rb" t[1-9][0-9]*(?=[ \r])", b" t<some>", self.client.ask(*parts))
        if command[0] == "gets" and (found := re.match(rb"VALUE \S+ \d+ \d+ (\d+)\r\n", reply)):
            self._cas = found[1]
            return reply.replace(b" " + found[1] + b"\r\n", b" <cas>\r\n", 1)
        return reply


@pytest.fixture
def memcached(tmp_path: Path) -> Iterator[Client]:
    with running_memcached(tmp_path) as path, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(str(path))
        yield Client(sock)


@pytest.fixture(params=["memory:", "lmdb:", "a server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "a server":
        with running_redis(tmp_path) as path:
            yield f"unix://{path}"
    else:
        yield request.param


def test_replies_are_those_of_memcached(pool: Pools, memcached: Client, store: str) -> None:
    running = pool(memcached_toml(workers=1, store=store, max_item=1 << 20))

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(COMMAND, min_size=1, max_size=30), st.lists(st.integers(0, 100_000), max_size=3))
    def check(commands: list[Words], cuts: list[int]) -> None:
        theirs, ours = Server(memcached), Server(Client(sock))
        for server in (theirs, ours):
            server.run(("flush_all",), [])
        for command in commands:
            expected, got = theirs.run(command, cuts), ours.run(command, cuts)
            assert got == expected, f"{command}: {got[:300]!r} instead of {expected[:300]!r}"

    with connect(running.urls()[0]) as sock:
        check()


def test_decrements(pool: Pools, memcached: Client, store: str) -> None:
    running = pool(memcached_toml(workers=1, store=store))
    with connect(running.urls()[0]) as sock:
        ours = Client(sock)
        for value, delta in (
            (b"10", b"1"),
            (b"5", b"7"),
            (b"100", b"100"),
            (b"18446744073709551615", b"1"),
            (b"x", b"1"),
        ):
            asked = b"set a 3 0 %d\r\n%b\r\ndecr a %b\r\n" % (len(value), value, delta)
            assert ours.ask(asked) == memcached.ask(asked)
            theirs, got = memcached.ask(b"get a\r\n"), ours.ask(b"get a\r\n")
            assert got.split(b"\r\n")[1] == theirs.split(b"\r\n")[1].rstrip(b" ")
