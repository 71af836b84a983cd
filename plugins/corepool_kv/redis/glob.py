r"""Redis's glob patterns: * ? [abc] [^a-z] and \ to take one literally (util.c, stringmatchlen)."""

from __future__ import annotations

from corepool_kv.redis.replies import Error

_LONGEST = 65_536

_STAR = None
_Token = bytes | None
"""1 for each byte that matches: a thirtieth of a set's size, and clients choose how many there are."""

_YES = b"\1"
_ANY = _YES * 256
_ONLY = tuple(bytes(byte) + _YES + bytes(255 - byte) for byte in range(256))
_TO_OTHERS = bytes((1, 0)) + bytes(254)


class Glob:
    """A pattern. Matching takes time proportional to its length times the text's: no pattern is explosive."""

    def __init__(self, pattern: bytes) -> None:
        """Take a pattern.

        :raises Error: it is too long: a class of three bytes takes a hundred times as much when parsed.
        """
        if len(pattern) > _LONGEST:
            raise Error(f"ERR a pattern of more than {_LONGEST} bytes")
        self._tokens = _parse(pattern)

    def matches(self, text: bytes) -> bool:
        """Return whether the whole text matches; nothing but an empty pattern matches an empty text, not even `*`."""
        tokens = self._tokens
        if not text:
            return not tokens
        at = token = 0
        star = restart = -1
        while at < len(text):
            if token < len(tokens) and tokens[token] is _STAR:
                star, restart = token, at
                token += 1
            elif token < len(tokens) and (tokens[token] or _ANY)[text[at]]:
                at += 1
                token += 1
            elif star >= 0:
                # The last star takes one more; earlier ones need not be tried again.
                restart += 1
                at, token = restart, star + 1
            else:
                return False
        return all(each is _STAR for each in tokens[token:])


def glob_of_names(pattern: bytes) -> Glob | None:
    """Return a pattern of keys or members; None: a single `*`, which matches all of them, the empty one too.

    :raises Error: it is too long.
    """
    return None if pattern == b"*" else Glob(pattern)


def _parse(pattern: bytes) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(pattern):
        byte = pattern[at : at + 1]
        at += 1
        if byte == b"*":
            if not tokens or tokens[-1] is not _STAR:
                tokens.append(_STAR)
        elif byte == b"?":
            tokens.append(_ANY)
        elif byte == b"[":
            token, at = _parse_class(pattern, at)
            tokens.append(token)
        else:
            if byte == b"\\" and at < len(pattern):
                byte = pattern[at : at + 1]
                at += 1
            tokens.append(_ONLY[byte[0]])
    return tokens


def _parse_class(pattern: bytes, at: int) -> tuple[bytes, int]:
    negated = pattern[at : at + 1] == b"^"
    at += negated
    members = bytearray(256)
    while at < len(pattern) and pattern[at] != 0x5D:  # ]
        if pattern[at] == 0x5C and at + 1 < len(pattern):  # backslash
            members[pattern[at + 1]] = 1
            at += 2
        elif at + 2 < len(pattern) and pattern[at + 1] == 0x2D:  # -
            low, high = sorted((pattern[at], pattern[at + 2]))
            members[low : high + 1] = _YES * (high + 1 - low)
            at += 3
        else:
            members[pattern[at]] = 1
            at += 1
    return bytes(members.translate(_TO_OTHERS) if negated else members), at + 1
