"""Random lines, and random input that is nearly an array, are answered byte by byte as by a real redis-server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from conftest import Pair

compared = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))

PIECE = st.one_of(
    st.sampled_from(
        [
            " ",
            "  ",
            "\t",
            "\v",
            "\f",
            "\r",
            '"',
            "'",
            "\\",
            "\\x41",
            "\\x4",
            "\\xzz",
            "\\n",
            "\\'",
            '\\"',
            '""',
            "''",
            "a",
        ]
    ),
    st.sampled_from(["b", "\0", "é", "*", "$", "+", '" "', "' '", '"x y"', "'x y'", "\\\\", "\x7f", "\xff"]),
    st.text(max_size=3),
).map(lambda piece: piece.encode(errors="surrogatepass"))
TEXT = st.lists(PIECE, max_size=12).map(b"".join).map(lambda text: text.replace(b"\n", b""))
LINE = st.builds(
    lambda command, text, end: command + text + end,
    st.sampled_from([b"ECHO ", b"echo", b"FOO ", b"", b" ", b"SET a ", b"GET a", b"PING", b"ping ", b'"PING"', b"\t"]),
    TEXT,
    st.sampled_from([b"\n", b"\r\n", b"\r\r\n", b" \n", b"\v\n"]),
)


@compared
@given(st.lists(LINE, min_size=1, max_size=6))
@example([b'ECHO a"b"\n', b"ECHO a'b'\r\n", b"PING\v\n"])
@example([b'ECHO "a\n', b"PING\n"])
@example([b'ECHO "a"b\n'])
@example([b"ECHO '\\'\n"])
@example([b"ECHO \\x41\n"])
@example([b"PING\0\n", b"PING\n"])
@example([b"FOO " + b"x" * 200 + b" y\n", b"y" * 200 + b"\n"])
@example([b"FOO " + "é".encode() * 70 + b" y z\n"])
def test_lines_are_answered_as_by_redis(pair: Pair, lines: list[bytes]) -> None:
    expected, got = pair.ask(b"FLUSHALL\n" + b"".join(lines))

    assert got == expected


WORDS = st.sampled_from(
    [
        b"$4\r\nPING\r\n",
        b"$4\r\nECHO\r\n",
        b"$2\r\nhi\r\n",
        b"$0\r\n\r\n",
        b"$3\r\nFOO\r\n",
        b"$3\r\na\0b\r\n",
        b"$2\r\n+1\r\n",
    ]
)
ODD = st.sampled_from(
    [
        *(
            b"*1\r\n",
            b"*2\r\n",
            b"*3\r\n",
            b"*0\r\n",
            b"*-1\r\n",
            b"*-9\r\n",
            b"*\r\n",
            b"*01\r\n",
            b"*+1\r\n",
            b"* 1\r\n",
        ),
        *(b"*1 \r\n", b"*-0\r\n", b"*x\r\n", b"*1\n", b"*1\rx", b"*1\0\r\n", b"*99999999999\r\n", b"*2147483648\r\n"),
        *(b"*9223372036854775808\r\n", b"*-9223372036854775809\r\n", b"$-1\r\n", b"$-5\r\n", b"$04\r\nPING\r\n"),
        *(b"$+4\r\nPING\r\n", b"$ 4\r\nPING\r\n", b"$\r\n", b"$4\rxPINGxx", b"$4\nPING\r\n", b"$536870913\r\n"),
        *(
            b"$2000000000\r\n",
            b"+PING\r\n",
            b"-ERR\r\n",
            b":1\r\n",
            b"=8\r\ntxt:PING\r\n",
            b"(1\r\n",
            b"%1\r\n",
            b"_\r\n",
        ),
        *(
            b"#t\r\n",
            b",1.5\r\n",
            b"~1\r\n",
            b">1\r\n",
            b"|1\r\n",
            b"!4\r\nPING\r\n",
            b"PING\r\n",
            b"\r\n",
            b"\n",
            b"\r",
            b"\0",
        ),
    ]
)
STREAM = st.lists(st.one_of(WORDS, WORDS, ODD, st.sampled_from([b"*1\r\n", b"*2\r\n"])), max_size=12).map(b"".join)


@compared
@given(st.one_of(STREAM, st.lists(st.one_of(WORDS, ODD, st.binary(max_size=4)), max_size=10).map(b"".join)))
@example(b"*1\r\n+PING\r\n")
@example(b"*1\r\n%1\r\n*1\r\n")
@example(b"*1\r\n\n\r\n")
@example(b"*1\r\n\xe9\r\n")
@example(b"*2\r\n$2\r\nGET\r\n$1\r\na\r\n")
def test_a_near_array_is_answered_as_by_redis(pair: Pair, stream: bytes) -> None:
    expected, got = pair.ask(stream)

    assert got == expected


@pytest.mark.parametrize(
    "stream",
    [
        b"*11\r\n",
        b"*10\r\n$4\r\nPING\r\n$16385\r\n",
        b"*1\r\n$2000000000\r\n",
        b"*99999999999\r\n",
        b"*2\r\n$4\r\nAUTH\r\n$6\r\nsesame\r\n*11\r\n" + b"$4\r\nPING\r\n" * 11,
        b"AUTH sesame\r\nRESET\r\n*11\r\n",
        b"*2\r\n$4\r\nAUTH\r\n$6\r\nsesame\r\n*1\r\n$5\r\nRESET\r\n*2\r\n$4\r\nECHO\r\n$16385\r\n",
        b"GET a\r\nFOO\r\nGET\r\nAUTH wrong\r\nAUTH\r\nHELLO 3\r\nQUIT\r\nPING\r\n",
    ],
)
def test_strangers_are_refused_as_by_redis(pair_with_password: Pair, stream: bytes) -> None:
    expected, got = pair_with_password.ask(stream)

    assert got == expected
