"""Mutated requests, fixed seeds: the plain reader finds in them what hiredis and the careful reader find."""

from __future__ import annotations

import itertools
import random

import pytest
from resp_streams import outcome

from corepool_kv.redis.options import KvOptions
from corepool_kv.redis.requests import CarefulReader, HiredisReader, RequestLimits, RequestReader

STREAMS_OF_A_SEED = 1500

OPTIONS = KvOptions(max_line=64, max_arguments=40, max_request=1024)

WORDS = [
    b"GET",
    b"get",
    b"SET",
    b"",
    b"key:000000012345",
    b"x" * 64,
    b"x" * 1000,
    b"\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"\0",
]
LINES = [
    b"PING",
    b"SET a b",
    b" GET\ta \r",
    b"",
    b"\r",
    b"ECHO 'a b'",
    b'ECHO "',
    b"A\vB",
    b"*",
    b"x" * 63,
    b"x" * 65,
    b"a\0b",
]
ODD = [
    b"*0\r\n",
    b"*-1\r\n",
    b"*01\r\n",
    b"*1\r\n$04\r\nPING\r\n",
    b"*1\r\n$-1\r\n",
    b"*41\r\n",
    b"*1\r\n$1025\r\n",
    b"*1\n$1\na\n",
]
INSERTED = [b"\r\n", b"\n", b"\0", b"*", b"$", b"-", b"0", b"9999999999", b" ", b"'", b"+OK\r\n"]


def requests(rng: random.Random) -> bytes:
    """Return a sound request, in most cases."""
    if rng.random() < 0.1:
        return rng.choice(ODD)
    if rng.random() < 0.3:
        return rng.choice(LINES) + rng.choice([b"\r\n", b"\n"])
    words = rng.choices(WORDS, k=rng.choice([1, 2, 2, 3, 40]))
    return b"*%d\r\n%b" % (len(words), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))


def mutated(rng: random.Random, stream: bytes) -> bytes:
    """Change, remove, add or repeat some bytes."""
    for _ in range(rng.choice([0, 0, 1, 1, 2, 5])):
        place = rng.randrange(len(stream) + 1)
        size = rng.choice([1, 1, 2, 8])
        added = rng.choice([b"", b"", rng.choice(INSERTED), rng.randbytes(1), stream[place : place + size] * 2])
        stream = stream[:place] + added + stream[place + size * rng.randrange(2) :]
    return stream


def chunks_of(rng: random.Random, stream: bytes) -> list[bytes]:
    edges = [0, *sorted(rng.randrange(len(stream) + 1) for _ in range(rng.choice([0, 0, 1, 3]))), len(stream)]
    return [stream[begin:end] for begin, end in itertools.pairwise(edges)]


@pytest.mark.parametrize("is_trusted", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_mutated_requests_are_read_as_by_hiredis_and_by_the_careful_reader(seed: int, *, is_trusted: bool) -> None:
    rng = random.Random(seed)  # noqa: S311 - the same in each run
    found_any = 0
    for _ in range(STREAMS_OF_A_SEED):
        stream = mutated(rng, b"".join(requests(rng) for _ in range(rng.randrange(1, 8))))
        chunks = chunks_of(rng, stream)
        found = outcome(RequestReader(OPTIONS, is_trusted=is_trusted), chunks)
        found_any += len(found[0])

        assert found == outcome(CarefulReader(RequestLimits.of(OPTIONS, is_trusted=is_trusted)), chunks), chunks
        assert found[0] == outcome(HiredisReader(OPTIONS, is_trusted=is_trusted), chunks)[0], chunks
    assert found_any > STREAMS_OF_A_SEED


@pytest.mark.parametrize("seed", range(2))
def test_a_client_that_becomes_trusted_or_not_between_requests_is_read_on(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - the same in each run
    for _ in range(STREAMS_OF_A_SEED):
        chunks = chunks_of(rng, b"".join(requests(rng) for _ in range(6)))
        changes = rng.choices(["trust", "distrust", ""], k=64)
        readers = [reader_class(OPTIONS) for reader_class in (RequestReader, HiredisReader)]

        assert _changing(readers[0], chunks, changes) == _changing(readers[1], chunks, changes), (chunks, changes)


def _changing(reader: RequestReader, chunks: list[bytes], changes: list[str]) -> list[object]:
    told: list[object] = []
    steps = iter(changes)

    class Changing:
        """A reader whose client sends AUTH or RESET between its requests."""

        feed = reader.feed

        def next(self) -> list[bytes] | None:
            request = reader.next()
            told.append(reader.is_empty)
            if change := next(steps, ""):
                getattr(reader, change)()
            return request

    return [*outcome(Changing(), chunks), told]  # type: ignore[arg-type]
