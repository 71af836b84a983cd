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
_MAX_BITS = 32
"""Of a number that `encode` collects: a shift takes as long as the number, and 64 bits have room for another symbol."""

# What half a byte brings, in EFFECTS.
NOTHING = 0
SYMBOL = 1
"""A symbol has ended: that in SYMBOLS."""
FAULT = 2
"""EOS itself, which no string contains (RFC 7541, 5.2)."""


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


def _make_decoding() -> tuple[bytes, bytes, bytes, bytes]:
    """Return the next state, the effect and the symbol for each state and half byte; and of each state whether a string
    may end there.
    """
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
    states, effects, symbols = (bytearray(len(tree) << 4) for _ in range(3))
    for state, successors in enumerate(tree):
        for half in range(16):
            at = state << 4 | half
            node = successors[half >> 3]
            for place in (2, 1, 0, -1):
                if node < 0:
                    effects[at] = FAULT if ~node == _EOS else SYMBOL
                    symbols[at] = ~node & 0xFF
                    node = 0
                if effects[at] == FAULT or place < 0:
                    break
                node = tree[node][half >> place & 1]
            states[at] = node
    # The padding is the beginning of EOS, all of it ones, and shorter than a byte.
    endings, node = bytearray(len(tree)), 0
    for _ in range(8):
        endings[node] = 1
        node = tree[node][1]
    return bytes(states), bytes(effects), bytes(symbols), bytes(endings)


STATES, EFFECTS, SYMBOLS, ENDINGS = _make_decoding()


def decode(data: bytes) -> bytes:
    """Decode a string.

    :raises Failure: it has EOS in it, or its padding is not that of RFC 7541, 5.2.
    """
    states, effects, symbols = STATES, EFFECTS, SYMBOLS
    state, decoded = 0, bytearray()
    for byte in data:
        at = state << 4 | byte >> 4
        effect = effects[at]
        if effect:
            if effect == FAULT:
                raise invalid()
            decoded.append(symbols[at])
        at = states[at] << 4 | byte & 15
        effect = effects[at]
        if effect:
            if effect == FAULT:
                raise invalid()
            decoded.append(symbols[at])
        state = states[at]
    if not ENDINGS[state]:
        raise invalid()
    return bytes(decoded)


def invalid() -> Failure:
    """Return the error for a string that is not in this code."""
    return Failure(Code.COMPRESSION_ERROR, "invalid Huffman code in a header block")


def encode(data: bytes) -> bytes:
    """Encode a string."""
    lengths, codes = _LENGTHS, _CODES
    coded = bytearray()
    value = size = 0
    for byte in data:
        length = lengths[byte]
        value = value << length | codes[byte]
        size += length
        if size >= _MAX_BITS:
            rest = size & 7
            coded += (value >> rest).to_bytes(size >> 3, "big")
            value &= (1 << rest) - 1
            size = rest
    padding = -size & 7
    coded += (value << padding | (1 << padding) - 1).to_bytes((size + padding) >> 3, "big")
    return bytes(coded)
