"""Slots of keys, and what servers say of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from corepool_kv.remote.kinds import KINDS, kind_of
from corepool_kv.remote.slots import read_redirection, read_slots, slot_of
from corepool_kv.stores.remote_url import Server

ASKED = Server("10.0.0.1", 7000)


@given(st.one_of(st.binary(), st.lists(st.sampled_from([b"{", b"}", b"a", b"user"])).map(b"".join)))
def test_slots_are_those_of_redis_py(key: bytes) -> None:
    assert slot_of(key) == key_slot(key)


def test_the_reply_to_cluster_slots() -> None:
    node = b"*4\r\n$%d\r\n%b\r\n:%d\r\n$2\r\nid\r\n*0\r\n"
    one = b"*4\r\n:0\r\n:99\r\n" + node % (8, b"10.0.0.2", 7001) + node % (8, b"10.0.0.3", 7002)
    two = b"*3\r\n:100\r\n:16383\r\n" + node % (0, b"", 7003)

    assert read_slots(b"*2\r\n" + one + two, ASKED) == [
        (range(100), Server("10.0.0.2", 7001)),
        (range(100, 16384), Server("10.0.0.1", 7003)),
    ]


@pytest.mark.parametrize("reply", [b"-ERR This instance has cluster support disabled\r\n", b"+OK\r\n", b"*1\r\n:3\r\n"])
def test_another_reply_is_an_error(reply: bytes) -> None:
    with pytest.raises(ValueError, match=r"cluster support disabled|can't be read"):
        read_slots(reply, ASKED)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"-MOVED 3999 127.0.0.1:6381\r\n", (3999, Server("127.0.0.1", 6381))),
        (b"-ASK 3999 ::1:6381\r\n", (3999, Server("::1", 6381))),
        (b"-MOVED 3999 :6381\r\n", (3999, Server("10.0.0.1", 6381))),
        (b"-MOVED 99999 a:1\r\n", None),
        (b"-MOVED\r\n", None),
        (b"-MOVED x y\r\n", None),
    ],
)
def test_redirections(reply: bytes, expected: object) -> None:
    assert read_redirection(reply, ASKED) == expected


@pytest.mark.parametrize(
    ("request_", "key"),
    [
        ("GET k", "k"),
        ("foo.bar k 1", "k"),
        ("EVAL script 1 k v", "k"),
        ("EVAL script 0 v", None),
        ("XREAD COUNT 2 STREAMS k 0", "k"),
        ("xreadgroup GROUP g c BLOCK 0 STREAMS k >", "k"),
        ("OBJECT ENCODING k", "k"),
        ("OBJECT HELP", None),
        ("MEMORY USAGE k", "k"),
        ("MEMORY STATS", None),
        ("ZUNION 2 k l", "k"),
        ("ZUNIONSTORE k 2 l m", "k"),
        ("BLMPOP 0 1 k LEFT", "k"),
        ("BITOP AND k l", "k"),
        ("PING", None),
        ("GET", None),
    ],
)
def test_the_first_key_of_requests(request_: str, key: str | None) -> None:
    words = request_.encode().split()
    kind = KINDS.get(words[0]) or kind_of(words)
    found = (words[1] if len(words) > 1 else None) if kind.key is None else kind.key(words)

    assert found == (None if key is None else key.encode())
