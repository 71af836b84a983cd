"""The libraries of functions, in the store for all workers: their texts, and a list of their functions."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.redis.inline import split_first_line
from corepool_kv.redis.replies import Error, text_of
from corepool_kv.stores import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from corepool_kv.engine.keyspace import Keyspace

MAX_LIBRARIES = 100
MAX_FUNCTIONS = 1000
"""Of all libraries: each call reads their list."""
MAX_LIBRARY_BYTES = 1 << 20

_INDEX, _TEXT = b"functions", b"library "
_NAME = re.compile(r"[A-Za-z0-9_]+")
_BAD_NAME = (
    "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"
)
FLAGS = frozenset(("no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"))


class Listed(NamedTuple):
    """A function, as the list has it."""

    name: str
    flags: tuple[str, ...]
    description: str | None


class Libraries:
    """All libraries, in one transaction or view."""

    def __init__(self, db: Keyspace) -> None:
        self._system = db.select(SYSTEM)
        packed = json.loads(self._system.get(_INDEX) or b"{}")
        self.all: dict[str, list[Listed]] = {
            library: [Listed(name, tuple(flags), description) for name, flags, description in functions]
            for library, functions in packed.items()
        }
        """The functions of each, by its name."""

    @property
    def functions(self) -> int:
        """The number of all functions."""
        return sum(map(len, self.all.values()))

    def find(self, function: str) -> tuple[str, Listed] | None:
        """Return the library of a function, and its entry."""
        for library, functions in self.all.items():
            for each in functions:
                if each.name == function:
                    return library, each
        return None

    def text(self, library: str) -> bytes:
        """Return the text of a library."""
        return self._system.get(_TEXT + library.encode()) or b""

    def put(self, library: str, text: bytes, functions: Iterable[Listed]) -> None:
        """Keep a library, in the place of another one of that name. In a transaction.

        :raises Error: there are too many, or one of its functions is another library's.
        """
        self.put_all({library: (text, list(functions))}, replaces=True)

    def put_all(self, found: Mapping[str, tuple[bytes, list[Listed]]], *, replaces: bool, clears: bool = False) -> None:
        """Keep libraries, each with its text and functions, or none of them. In a transaction.

        :param replaces: in the place of others of these names.
        :param clears: in the place of all others.
        :raises Error: there are too many, or a library or one of its functions is there already.
        :raises RefusedError: a text, or the list of all, is too long for the store.
        """
        there = {} if clears else self.all
        if not replaces:
            for library in found:
                if library in there:
                    raise Error(f"ERR Library {library} already exists")
        kept = {library: listed for library, listed in there.items() if library not in found}
        names = {each.name for listed in kept.values() for each in listed}
        for _, listed in found.values():
            for each in listed:
                if each.name in names:
                    raise Error(f"ERR Function {each.name} already exists")
                names.add(each.name)
        if len(kept) + len(found) > MAX_LIBRARIES:
            raise Error(f"ERR more than {MAX_LIBRARIES} libraries")
        if len(names) > MAX_FUNCTIONS:
            raise Error(f"ERR more than {MAX_FUNCTIONS} functions")
        listed_then = there | {library: listed for library, (_, listed) in found.items()}
        # Before anything changes: an error ends the command, and what it has changed by then is committed.
        self._system.check_length(len(_packed(listed_then)))
        for library, (text, _) in found.items():
            self._system.check_key(_TEXT + library.encode())
            self._system.check_length(len(text))
        if clears:
            self.clear()
        self.all = listed_then
        for library, (text, _) in found.items():
            self._system.put(_TEXT + library.encode(), text)
        self._write()

    def delete(self, library: str) -> bool:
        """Remove a library; False: there is none of that name. In a transaction."""
        if self.all.pop(library, None) is None:
            return False
        self._system.delete(_TEXT + library.encode())
        self._write()
        return True

    def clear(self) -> None:
        """Remove all. In a transaction."""
        for library in list(self.all):
            self.delete(library)

    def _write(self) -> None:
        self._system.put(_INDEX, _packed(self.all))


def _packed(listed: dict[str, list[Listed]]) -> bytes:
    return json.dumps(listed).encode()


def parse_library(text: bytes) -> tuple[str, bytes]:
    """Return the name of a library, and its text without the first line, whose end is there.

    :raises Error: the first line is wrong, or the text too long.
    """
    if len(text) > MAX_LIBRARY_BYTES:
        raise Error(f"ERR a library of more than {MAX_LIBRARY_BYTES} bytes")
    if not text.startswith(b"#!"):
        raise Error("ERR Missing library metadata")
    words, body = split_first_line(text, "ERR Invalid library metadata", "ERR Invalid library metadata")
    engine, *options = words
    name: str | None = None
    for option in options:
        key, sign, value = option.partition(b"=")
        if key.lower() + sign != b"name=":
            raise Error(f"ERR Invalid metadata value given: {text_of(option)}")
        if name is not None:
            raise Error("ERR Invalid metadata value, name argument was given multiple times")
        name = value.decode("latin-1")
    if name is None:
        raise Error("ERR Library name was not given")
    if _NAME.fullmatch(name) is None:
        raise Error(_BAD_NAME)
    if engine.lower() != b"#!lua":
        raise Error(f"ERR Engine '{text_of(engine[2:])}' not found")
    return name, body


def check_function(name: bytes, flags: bytes) -> bytes | None:
    """Return the error for a function that a library registers; None: it is sound."""
    if _NAME.fullmatch(name.decode("latin-1")) is None:
        return _BAD_NAME.encode()
    if not {flag for flag in flags.decode("latin-1").split(",") if flag} <= FLAGS:
        return b"ERR unknown flag given"
    return None
