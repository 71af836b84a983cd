"""One call of an application: a command, and the function that takes its reply as it is encoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import hiredis

Value: TypeAlias = "bytes | int | list[Value] | None"
"""A reply: an integer, bytes, nothing, or a list of those."""

Done: TypeAlias = Callable[[bytes], None]


class CommandError(Exception):
    """The store has answered a command with an error, or could not run it; `str()` begins with Redis's word for it."""


class Driver(Protocol):
    """A way to run commands. Runs in: the loop's thread of a worker."""

    def submit(self, words: Sequence[bytes], done: Done) -> None:
        """Run a command, behind those that were submitted before; `done` gets its reply, encoded for RESP2.

        :raises CommandError: no application can have it run.
        """

    def close(self) -> None:
        """End."""


def as_words(words: Sequence[bytes | str | float]) -> list[bytes]:
    """Return the words of a command as bytes: text in UTF-8, numbers as Redis takes them.

    :raises TypeError: a word is of another type.
    """
    return [word if type(word) is bytes else _as_bytes(word) for word in words]


def _as_bytes(word: object) -> bytes:
    if isinstance(word, str):
        return word.encode()
    if isinstance(word, bool) or not isinstance(word, int | float | bytes | bytearray | memoryview):
        raise TypeError(f"a word of a command is bytes, text or a number, and not {type(word).__name__}")
    return repr(word).encode() if isinstance(word, int | float) else bytes(word)


def decode(reply: bytes) -> Value:
    """Return the value of an encoded reply.

    :raises CommandError: it is an error.
    """
    reader = hiredis.Reader()
    reader.feed(reply)
    value: Value = reader.gets()
    if isinstance(value, hiredis.ReplyError):
        raise CommandError(str(value))
    return value
