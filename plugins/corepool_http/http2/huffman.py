"""The Huffman code of HPACK (RFC 7541, 5.2 and Appendix B).

The code is canonical: the lengths of the symbols say it all. Decoding goes by half bytes through a table of states, the
inner nodes of the code's tree; half a byte ends one symbol at most, for the shortest have 5 bits.
"""

from __future__ import annotations

from corepool_http.http2.errors import Code, Failure

# fmt: off
_LENGTHS = bytes((
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
    28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
    8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
    13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
    28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
    22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
    22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
    25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
))
# fmt: on
"""Bits of each byte's symbol, and of the end of the string (EOS)."""

_EOS = 256
_MAX_BITS = 512
"""Of a number that `encode` shifts."""
SYMBOL = 0x1_0000
"""In an entry of DECODING: a symbol has ended; it is in the second byte."""
FAULT = 0x2_0000
"""In an entry of DECODING: EOS itself, which no string contains (5.2)."""


def _make_codes() -> list[int]:
    codes = [0] * len(_LENGTHS)
    code = last = 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(_LENGTHS)):
        code <<= length - last
        last = length
        codes[symbol] = code
        code += 1
    return codes


_CODES = _make_codes()


def _make_decoding() -> tuple[tuple[int, ...], bytes]:
    """Return the entry for each state and half byte, and a byte for each state: 1 if a string may end there."""
    tree: list[list[int]] = [[0, 0]]  # of each node its two successors: another node, or less than 0, a symbol
    for symbol, (code, length) in enumerate(zip(_CODES, _LENGTHS, strict=True)):
        node = 0
        for place in range(length - 1, 0, -1):
            bit = code >> place & 1
            if not tree[node][bit]:
                tree.append([0, 0])
                tree[node][bit] = len(tree) - 1
            node = tree[node][bit]
        tree[node][code & 1] = ~symbol
    table = []
    for state in range(len(tree)):
        for half in range(16):
            node, entry = state, 0
            for place in (3, 2, 1, 0):
                node = tree[node][half >> place & 1]
                if node < 0:
                    entry = FAULT if ~node == _EOS else SYMBOL | ~node << 8
                    node = 0
                if entry == FAULT:
                    break
            table.append(entry | node)
    # The padding is the beginning of EOS, all of it ones, and shorter than a byte.
    endings, node = bytearray(len(tree)), 0
    for _ in range(8):
        endings[node] = 1
        node = tree[node][1]
    return tuple(table), bytes(endings)


DECODING, ENDINGS = _make_decoding()


def decode(data: bytes) -> bytes:
    """Decode a string.

    :raises Failure: it has EOS in it, or its padding is not that of RFC 7541, 5.2.
    """
    table, state, decoded = DECODING, 0, bytearray()
    add = decoded.append
    for byte in data:
        entry = table[state << 4 | byte >> 4]
        if entry > 0xFFFF:
            if entry & FAULT:
                raise invalid()
            add(entry >> 8 & 0xFF)
        entry = table[(entry & 0xFF) << 4 | byte & 15]
        if entry > 0xFFFF:
            if entry & FAULT:
                raise invalid()
            add(entry >> 8 & 0xFF)
        state = entry & 0xFF
    if not ENDINGS[state]:
        raise invalid()
    return bytes(decoded)


def invalid() -> Failure:
    """Return the error for a string that is not in this code."""
    return Failure(Code.COMPRESSION_ERROR, "invalid Huffman code in a header block")


def encode(data: bytes) -> bytes:
    """Encode a string."""
    coded = bytearray()
    value = size = 0
    for byte in data:
        length = _LENGTHS[byte]
        value = value << length | _CODES[byte]
        size += length
        if size >= _MAX_BITS:  # a shift takes as long as the number: 64 KiB in one would take a quarter of a second
            rest = size % 8
            coded += (value >> rest).to_bytes(size // 8, "big")
            value &= (1 << rest) - 1
            size = rest
    padding = -size % 8
    coded += (value << padding | (1 << padding) - 1).to_bytes((size + padding) // 8, "big")
    return bytes(coded)
