"""Parts of requests and responses that the connections of one worker share: judged once, encoded once.

The bounds keep all of it below 16 MB, even if an attacker fills it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_http.generations import Generations
from corepool_http.http2.judgement import JudgedSection, judge_section
from corepool_http.http2.priorities import priority_of
from corepool_http.http2.response_blocks import encode_lines

if TYPE_CHECKING:
    from corepool_http.message import Fields

_MAX_KEPT = 4096
"""Bytes of a header section, or of a response's head, that is kept."""
_MAX_FIELDS = 40
_MAX_PER_GENERATION = 256


class KnownBlocks:
    """Sections and heads of responses of one worker."""

    __slots__ = ("_blocks", "_sections")

    def __init__(self) -> None:
        """Begin with nothing."""
        self._sections: Generations[tuple[object, ...], JudgedSection | None] = Generations(_MAX_PER_GENERATION)
        self._blocks: Generations[bytes, bytes | None] = Generations(_MAX_PER_GENERATION)

    def section(self, authority: bytes, fields: Fields) -> JudgedSection:
        """Return the section of a request.

        :param authority: of :authority; empty: it is not there.
        :param fields: the others, in their order.
        :raises RefusedError: it is refused as HTTP/1 refuses it.
        :raises StreamFailure: the request is malformed.
        """
        key = (authority, *fields)
        judged = self._sections[key]
        if judged is None:
            judged = judge_section(authority, fields)
            priority = judged.section.joined(b"priority")
            said = None if priority is None else priority_of(priority)
            if said is not None:
                judged.urgency, judged.incremental = said
            if judged.size <= _MAX_KEPT and len(fields) <= _MAX_FIELDS:
                self._sections.keep(key, judged)
        return judged

    def block(self, lines: bytes) -> bytes:
        """Return the header lines of a response, `Name: value` with CR LF behind each, as a part of a header block."""
        block = self._blocks[lines]
        if block is None:
            block = encode_lines(lines)
            if len(lines) <= _MAX_KEPT:
                self._blocks.keep(lines, block)
        return block
