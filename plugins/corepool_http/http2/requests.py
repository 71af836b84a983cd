"""Header blocks of one connection, read as requests and trailers.

A client repeats most of a block with every request, as indices into tables. So the section of a block is remembered by
the bytes of its part behind the pseudo-header fields, as long as the dynamic table stays as it was: bytes that were
judged once mean the same. A whole block is remembered in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_http.http2.errors import Code, Failure, malformed
from corepool_http.http2.hpack import Decoder
from corepool_http.http2.judgement import Pseudo, judge_all, judge_line, judge_trailers
from corepool_http.message import RefusedError, Request, RequestLine, Section
from corepool_http.rules import expects_continue

if TYPE_CHECKING:
    from corepool_http.http2.judgement import JudgedSection
    from corepool_http.http2.known import KnownBlocks
    from corepool_http.http2.streams import BaseStream
    from corepool_http.message import Fields
    from corepool_http.options import ServerOptions

_MAX_REMEMBERED = 8
_MAX_REMEMBERED_BYTES = 512
_BOMB = 8
"""A block whose fields are so many times larger than allowed ends its connection; less is answered with 431."""

_VERSION = "2"


class RequestReader:
    """Reads the requests of one connection."""

    __slots__ = ("_bomb", "_changes", "_decoder", "_known", "_knows_protocol", "_max_line", "_max_size", "_remembered")

    def __init__(self, options: ServerOptions, known: KnownBlocks, *, serves_websockets: bool) -> None:
        self._known = known
        self._decoder = Decoder()
        self._knows_protocol = serves_websockets
        self._max_size = options.max_head
        self._max_line = options.max_request_line
        self._bomb = _BOMB * (options.max_head + options.max_request_line)
        self._remembered: dict[bytes, tuple[RequestLine | None, JudgedSection]] = {}
        """Of a whole block its line and section, of the part behind the pseudo-header fields the section."""
        self._changes = 0
        """Those of the decoder for which that is true."""

    def read(self, block: bytes, stream: BaseStream) -> JudgedSection | None:
        """Set the request of a stream; and its refusal, which gives None.

        :raises Failure: the block can't be read.
        :raises StreamFailure: the request is malformed.
        """
        decoder = self._decoder
        if self._changes == decoder.changes:
            found = self._remembered.get(block)
            if found is not None:
                line, judged = found
                if line is not None:
                    stream.request = Request(line, _VERSION, judged.section)
                    return judged
        elif self._remembered:
            self._remembered = {}
        return self._read(decoder, block, stream)

    def _read(self, decoder: Decoder, block: bytes, stream: BaseStream) -> JudgedSection | None:
        changes = decoder.changes
        most = self._max_size + self._max_line
        leading: Fields = []
        fields: Fields = []
        decoder.begin()
        at = decoder.decode(block, 0, leading, most, True)
        rest = block[at:]
        judged: JudgedSection | None = None
        if changes == decoder.changes == self._changes:
            found = self._remembered.get(rest)
            if found is not None and found[1].authority == _authority(leading):
                judged = found[1]
        if judged is None:
            decoder.decode(block, at, fields, most, False)
        if decoder.size > self._bomb:
            raise Failure(Code.ENHANCE_YOUR_CALM, f"header fields of {decoder.size} bytes in one block", "header_bomb")
        pseudo = self._take_pseudo(leading, fields)
        try:
            judged = self._judge(pseudo, fields, judged, stream)
        except RefusedError as refusal:
            stream.refusal = refusal
            method = (pseudo.method or b"").decode("latin-1")
            target = (pseudo.path or pseudo.authority or b"")[: self._max_line]
            stream.request = Request(RequestLine(method, target), _VERSION, self._seen(pseudo, fields, refusal))
            return None
        assert stream.request is not None
        if not (stream.is_tunnel or judged.expects or decoder.has_faults or len(block) > _MAX_REMEMBERED_BYTES):
            self._remember(stream.request.line, judged, block, rest)
        return judged

    def _take_pseudo(self, leading: Fields, fields: Fields) -> Pseudo:
        """Take the pseudo-header fields out of `fields`, too: names that have no index are there."""
        decoder = self._decoder
        if decoder.fault is not None:
            raise malformed(decoder.fault)
        if decoder.has_faults:
            judge_all(leading)
            judge_all(fields)
        pseudo = Pseudo()
        for name, value in leading:
            pseudo.add(name, value)
        count = 0
        for name, value in fields:
            if not name.startswith(b":"):
                break
            pseudo.add(name, value)
            count += 1
        if count:
            del fields[:count]
        return pseudo

    def _judge(
        self,
        pseudo: Pseudo,
        fields: Fields,
        judged: JudgedSection | None,
        stream: BaseStream,
    ) -> JudgedSection:
        decoder = self._decoder
        is_too_large = decoder.size > self._max_size + self._max_line
        if not is_too_large:
            pseudo.judge(self._knows_protocol)
        path, authority = pseudo.path or b"", pseudo.authority or b""
        if len(path) > self._max_line:
            raise RefusedError(414, f"request target of more than {self._max_line} bytes")
        if is_too_large:
            raise self._too_large()
        assert pseudo.method is not None
        if judged is None:
            judged = self._known.section(authority, fields)
        if judged.size + len(path) > self._max_size:
            raise self._too_large()
        if pseudo.method == b"CONNECT":
            if pseudo.protocol != b"websocket":
                raise RefusedError(501, "CONNECT is not supported")
            stream.is_tunnel = True
        line = judge_line(pseudo.method, path)
        request = Request(line, _VERSION, judged.section)
        request.upgrade = stream.is_tunnel
        if judged.expects:
            request.expects_continue = expects_continue(judged.section)
        stream.request = request
        return judged

    def _remember(self, line: RequestLine, judged: JudgedSection, block: bytes, rest: bytes) -> None:
        decoder = self._decoder
        if self._changes != decoder.changes:
            self._changes = decoder.changes
            self._remembered = {}
            return  # indices may have moved within this very block
        remembered = self._remembered
        while len(remembered) > _MAX_REMEMBERED - 2:
            del remembered[next(iter(remembered))]
        remembered[rest] = None, judged
        remembered[block] = line, judged

    def _too_large(self) -> RefusedError:
        return RefusedError(431, f"header section of more than {self._max_size} bytes")

    def _seen(self, pseudo: Pseudo, fields: Fields, refusal: RefusedError) -> Section:
        """Return the header section of a refused request, if it is whole."""
        if refusal.status == 431:
            fields = []
        authority = [(b"host", pseudo.authority)] if pseudo.authority else []
        try:
            return Section([*authority, *fields], keep_alive=True)
        except RefusedError:
            return Section([], keep_alive=True)

    def read_trailers(self, block: bytes) -> Fields:
        """Return the trailers of a request.

        :raises Failure: the block can't be read.
        :raises StreamFailure: the request is malformed.
        """
        fields = self.skip(block)
        decoder = self._decoder
        if decoder.fault is not None:
            raise malformed(decoder.fault)
        if decoder.has_faults:
            judge_all(fields)
        judge_trailers(fields)
        if decoder.size > self._max_size:
            raise malformed(f"trailers of more than {self._max_size} bytes")
        return fields

    def skip(self, block: bytes) -> Fields:
        """Read a block for the sake of the dynamic table alone."""
        fields: Fields = []
        self._decoder.begin()
        self._decoder.decode(block, 0, fields, self._max_size, False)
        if self._decoder.size > self._bomb:
            raise Failure(Code.ENHANCE_YOUR_CALM, "trailers", "header_bomb")
        return fields


def _authority(leading: Fields) -> bytes:
    for name, value in leading:
        if name == b":authority":
            return value
    return b""
