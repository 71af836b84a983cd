"""Header lists and conversations, random, between our codec and the libraries hpack and h2: both read the same."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
import hpack
import pytest
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corepool_http.http2 import huffman
from corepool_http.http2.codec import Codec, KnownBlocks
from corepool_http.http2.errors import Failure
from corepool_http.http2.hpack import Decoder
from corepool_http.http2.response_blocks import encode_fields
from corepool_http.http2.streams import LOST, REQUEST, BaseStream
from corepool_http.options import ServerOptions

NAMES = st.sampled_from([b"accept", b"cookie", b"x-a", b"x-longer-name", b"date", b"etag", b"user-agent"])
VALUES = st.one_of(
    st.sampled_from([b"", b"a", b"gzip, deflate", b"text/html"]),
    st.binary(max_size=40).map(lambda data: data.translate(None, bytes(range(33)) + b"\x7f")),
)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=12)
PSEUDO = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"example.com")]


@given(st.lists(st.tuples(FIELDS, st.booleans(), st.sampled_from([None, 0, 100, 4096])), max_size=8))
@settings(max_examples=200, deadline=None)
def test_blocks_of_hpack_are_decoded_as_hpack_decodes_them(
    blocks: list[tuple[list[tuple[bytes, bytes]], bool, int | None]],
) -> None:
    encoder, decoder, oracle = hpack.Encoder(), Decoder(), hpack.Decoder(max_header_list_size=1 << 20)
    for fields, huffman_coded, size in blocks:
        if size is not None:
            encoder.header_table_size = size
        block = encoder.encode(fields, huffman=huffman_coded)
        found: list[tuple[bytes, bytes]] = []
        decoder.begin()
        decoder.decode(block, 0, found, 1 << 20, False)
        assert found == fields == [(bytes(name), bytes(value)) for name, value in oracle.decode(block, raw=True)]


@given(st.lists(FIELDS, max_size=5))
@settings(max_examples=200, deadline=None)
def test_blocks_of_ours_are_decoded_by_hpack(lists: list[list[tuple[bytes, bytes]]]) -> None:
    oracle = hpack.Decoder(max_header_list_size=1 << 20)
    for fields in lists:
        assert [tuple(field) for field in oracle.decode(encode_fields(fields), raw=True)] == fields


@given(st.binary(max_size=60))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_a_huffman_string_or_none_to_both(data: bytes) -> None:
    try:
        expected = decode_huffman(data)
    except hpack.HPACKDecodingError:
        with pytest.raises(Failure):
            huffman.decode(data)
        return
    assert huffman.decode(data) == expected


@given(st.binary(max_size=200))
@example(bytes(range(256)) * 20)
@settings(max_examples=200, deadline=None)
def test_any_string_is_huffman_coded_as_hpack_codes_it(data: bytes) -> None:
    coded = huffman.encode(data)
    assert coded == HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(data)
    assert huffman.decode(coded) == data


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("request"), FIELDS, st.sampled_from([b"/", b"/a?b", b"/" + b"c" * 90])),
        st.tuples(st.just("upload"), FIELDS, st.lists(st.binary(max_size=300), max_size=4)),
        st.tuples(st.just("reset"), st.integers(0, 5), st.none()),
        st.tuples(st.just("respond"), st.integers(0, 5), st.binary(max_size=3000)),
        st.tuples(st.just("ping"), st.none(), st.none()),
        st.tuples(st.just("settings"), st.sampled_from([1, 1000, 65_535, 1 << 20]), st.none()),
    ),
    max_size=25,
)


class Conversation:
    """h2 as the client, our codec as the server, and what each has seen of the other."""

    def __init__(self, cut: int) -> None:
        self.codec = Codec(ServerOptions(), KnownBlocks(), BaseStream)
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
        self.client.initiate_connection()
        self.cut = cut
        self.streams: dict[int, BaseStream] = {}
        self.requested: dict[int, tuple[list[tuple[bytes, bytes]], bytes]] = {}
        self.waiting: dict[int, bytes] = {}
        self.sent: dict[int, bytes] = {}
        self.got: dict[int, bytes] = {}
        self.exchange()

    def exchange(self) -> None:
        data = self.client.data_to_send()
        for at in range(0, len(data), self.cut):
            for stream in self.codec.receive(data[at : at + self.cut]):
                if stream.news & REQUEST and not stream.news & LOST:
                    self.streams[stream.number] = stream
                stream.news = 0
        assert self.codec.failure is None
        self.send()
        for event in self.client.receive_data(self.codec.take()):
            if isinstance(event, h2.events.DataReceived):
                self.got[event.stream_id] = self.got.get(event.stream_id, b"") + event.data
                if event.flow_controlled_length:
                    self.client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                assert event.error_code == 0, "our codec has found an error in what h2 sends"
        for stream in self.streams.values():
            if stream.unread:
                self.codec.consumed(stream, stream.unread)

    def send(self) -> None:
        """Send as much of the responses as the windows have room for."""
        for number, data in list(self.waiting.items()):
            stream = self.streams[number]
            size = min(self.codec.room_of(stream), len(data))
            ends = size == len(data)
            if stream.is_closed or ends:
                del self.waiting[number]
            else:
                self.waiting[number] = data[size:]
            self.codec.send_data(stream, data[:size], ends)

    def act(self, kind: str, first: object, second: object) -> None:
        client, number = self.client, self.client.get_next_available_stream_id()
        if kind in {"request", "upload"}:
            path = second if kind == "request" else b"/upload"
            fields = [line for line in first if line[0] != b"cookie"]
            client.send_headers(number, [*PSEUDO, (b":path", path), *fields], end_stream=kind == "request")
            self.requested[number] = fields, b"".join(second) if kind == "upload" else b""
            if kind == "upload":
                for piece in second:
                    client.send_data(number, piece)
                client.end_stream(number)
        elif kind == "reset" and first < len(self.streams):
            chosen = list(self.streams.values())[first]
            if not chosen.is_closed:
                client.reset_stream(chosen.number)
        elif kind == "respond" and first < len(self.streams):
            chosen = list(self.streams.values())[first]
            if not chosen.is_closed and chosen.number not in self.sent:
                self.codec.send_head(chosen, 200, b"Content-Type: text/plain\r\n", len(second), False)
                self.waiting[chosen.number] = self.sent[chosen.number] = second
        elif kind == "ping":
            client.ping(b"12345678")
        elif kind == "settings":
            client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: first})


@given(ACTS, st.sampled_from([1, 5, 1000, 100_000]))
@settings(max_examples=150, deadline=None)
def test_a_conversation_with_h2_is_understood_by_both(acts: list[tuple[str, object, object]], cut: int) -> None:
    talk = Conversation(cut)
    for act in acts:
        talk.act(*act)
        talk.exchange()
    for _ in range(5):
        talk.exchange()
    assert talk.streams.keys() == talk.requested.keys()
    for number, (fields, content) in talk.requested.items():
        stream = talk.streams[number]
        assert stream.request.section.headers == [(b"host", b"example.com"), *fields]
        if stream.body is not None and not stream.body.failed:
            assert stream.body.take() == content
            assert stream.body.complete
    for number, content in talk.sent.items():
        if talk.streams[number].reset_code < 0 and number not in talk.waiting:
            assert talk.got.get(number, b"") == content
