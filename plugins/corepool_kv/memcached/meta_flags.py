"""The flags of meta commands: letters, some with a token behind."""

from __future__ import annotations

import binascii

from corepool_kv.memcached.numbers import RefusedLineError, parse_signed, parse_unsigned

INVALID_FLAG = b"CLIENT_ERROR invalid flag\r\n"
DUPLICATE_FLAG = b"CLIENT_ERROR duplicate flag\r\n"
INVALID_OR_DUPLICATE = b"CLIENT_ERROR invalid or duplicate flag\r\n"
_BAD_TOKEN = b"CLIENT_ERROR bad token in command line format\r\n"
_BAD_KEY = b"CLIENT_ERROR error decoding key\r\n"
_LONG_OPAQUE = b"CLIENT_ERROR opaque token too long\r\n"
BAD_MODE_LENGTH = b"CLIENT_ERROR incorrect length for M token\r\n"
_NOT_KEPT = b"CLIENT_ERROR flags h and l need times of access, which this server does not keep\r\n"
_MAX_OPAQUE_BYTES = 32


class Flags:
    """The flags of a meta command: letters, some with a token behind."""

    def __init__(self, words: list[bytes], known: bytes, *, invalid: bytes, duplicate: bytes) -> None:
        """Read them.

        :param words: the words behind the key, and the length of a value.
        :param known: the letters that the command takes.
        :raises RefusedLineError: one of them is wrong; with `invalid` or `duplicate`.
        """
        self._tokens: dict[int, bytes] = {}
        for word in words:
            letter = word[0]
            if letter in self._tokens:
                raise RefusedLineError(duplicate)
            if letter not in known:
                raise RefusedLineError(_NOT_KEPT if letter in b"hl" and b"v" in known else invalid)
            self._tokens[letter] = word[1:]
        if len(self._tokens.get(ord("O"), b"")) >= _MAX_OPAQUE_BYTES:
            raise RefusedLineError(_LONG_OPAQUE)

    def __contains__(self, letter: str) -> bool:
        return ord(letter) in self._tokens

    def token(self, letter: str) -> bytes | None:
        """Return the token of a flag; None: it is not given."""
        return self._tokens.get(ord(letter))

    def signed(self, letter: str) -> int | None:
        """Return the number of a flag; None: it is not given.

        :raises RefusedLineError: it is none.
        """
        token = self.token(letter)
        return None if token is None else parse_signed(token, _BAD_TOKEN)

    def unsigned(self, letter: str, reply: bytes = _BAD_TOKEN) -> int | None:
        """Return the number of a flag, which has no sign; None: it is not given.

        :raises RefusedLineError: it is none; with `reply`.
        """
        token = self.token(letter)
        return None if token is None else parse_unsigned(token, reply=reply)

    def echoed(self, key: bytes, **facts: int) -> bytes:
        """Return the flags of a reply, in the order of the request.

        :param key: as the client has written it.
        :param facts: numbers, by their letters: those that were asked for are among the reply.
        """
        parts = []
        for letter, token in self._tokens.items():
            name = chr(letter)
            if name == "O":
                parts.append(b" O" + token)
            elif name == "k":
                parts.append(b" k%b b" % key if "b" in self else b" k" + key)
            elif name in facts:
                parts.append(b" %c%d" % (letter, facts[name]))
        return b"".join(parts)

    def key(self, written: bytes) -> bytes:
        """Return the key, which is base64 with the flag b.

        :raises RefusedLineError: it is not.
        """
        if "b" not in self:
            return written
        try:
            return binascii.a2b_base64(written, strict_mode=True)
        except binascii.Error:
            raise RefusedLineError(_BAD_KEY) from None
