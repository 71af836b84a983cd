"""Sequences of frames with random changes, at fixed seeds: the codec meets only its own errors, and stays bounded."""

from __future__ import annotations

import random

import pytest
from http2_frames import GET, POST, Played, frame

from corepool_http.http2 import frames
from corepool_http.http2.codec import Codec, KnownBlocks
from corepool_http.http2.frames import DATA, END_HEADERS, HEADERS, PREFACE, SETTINGS
from corepool_http.http2.streams import LOST, REQUEST, BaseStream
from corepool_http.options import ServerOptions

SEQUENCES_PER_SEED = 25_000
SEEDS = range(8)

OPTIONS = ServerOptions(max_head=1024, max_body=1000)


def conversations() -> list[list[bytes]]:
    """Frames that belong together, in their order."""
    plain, upload, large = (Played(begin=False) for _ in range(3))
    block = large.block([*GET, ("x-long", "value" * 30)])
    return [
        [
            frame(SETTINGS, 0, 0, b"\0\4\0\0\0\x40\0\1\0\0\0\0"),
            plain.headers(1, [*GET, ("user-agent", "browser"), ("cookie", "a=b")]),
            frame(frames.WINDOW_UPDATE, 0, 1, b"\0\0\1\0"),
            plain.headers(3),
            frame(frames.RST_STREAM, 0, 3, b"\0\0\0\x08"),
            plain.headers(5),
            frame(frames.GOAWAY, 0, 0, bytes(8)),
        ],
        [
            frame(SETTINGS, 0, 0),
            upload.headers(1, [*POST, ("content-length", "6")], ends=False),
            frame(DATA, frames.PADDED, 1, b"\x02abc\0\0"),
            frame(frames.PING, 0, 0, b"12345678"),
            frame(DATA, frames.END_STREAM, 1, b"def"),
            upload.headers(3, POST, ends=False),
            upload.headers(3, [("x-trailer", "yes")]),
        ],
        [
            frame(SETTINGS, 0, 0),
            frame(frames.PRIORITY_UPDATE, 0, 0, b"\0\0\0\x01u=1, i"),
            frame(HEADERS, frames.END_STREAM, 1, block[:20]),
            frame(frames.CONTINUATION, END_HEADERS, 1, block[20:]),
            frame(frames.PRIORITY, 0, 3, bytes(5)),
            large.headers(3, [*GET, ("x-long", "value" * 30)]),
        ],
    ]


def mutated(rng: random.Random, sequence: list[bytes]) -> bytes:
    pieces = list(sequence)
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(pieces))
        kind = rng.randrange(5)
        if kind == 0:
            del pieces[place]
        elif kind == 1:
            pieces.insert(place, pieces[rng.randrange(len(pieces))])
        elif kind == 2:
            other = rng.randrange(len(pieces))
            pieces[place], pieces[other] = pieces[other], pieces[place]
        else:
            piece = bytearray(pieces[place])
            at = rng.randrange(len(piece))
            if kind == 3:
                piece[at] ^= 1 << rng.randrange(8)
            else:
                piece[at:at] = rng.randbytes(rng.randrange(1, 4))
            pieces[place] = bytes(piece)
        if not pieces:
            break
    return b"".join(pieces)


@pytest.mark.parametrize("seed", SEEDS)
def test_mutated_sequences_meet_only_the_codecs_own_errors(seed: int) -> None:
    rng, sequences, known = random.Random(seed), conversations(), KnownBlocks()  # noqa: S311
    failed = served = 0
    for _ in range(SEQUENCES_PER_SEED):
        codec = Codec(OPTIONS, known, BaseStream)
        data = mutated(rng, rng.choice(sequences))
        cut = rng.randrange(len(data) + 1)
        output = 0
        for piece in (PREFACE + data[:cut], data[cut:]):
            for stream in codec.receive(piece):
                news, stream.news = stream.news, 0
                if news & REQUEST and not news & LOST:
                    served += 1
                    codec.send_head(stream, 200, b"A: b\r\n", 2, False)
                    codec.send_data(stream, b"ok"[: codec.room_of(stream)], True)
            output += len(codec.take())
        failed += codec.failure is not None
        assert output < 2_000
        assert len(codec.streams) < 10
    assert failed > SEQUENCES_PER_SEED // 10
    assert served > SEQUENCES_PER_SEED // 2
