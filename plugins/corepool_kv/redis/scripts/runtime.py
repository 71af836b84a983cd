"""One runtime of Lua in a worker: it compiles and runs scripts, in bounded time and memory, and hides Python from them.

PUC Lua 5.1, as in Redis. Its memory is bounded by lupa. A failure to allocate inside of a script is an error of the
script; one outside, where Python puts values into the runtime, would end the process: room for these is looked for
before. Time is that of the CPU, and by the clock four times as much: `lua/sandbox.lua` ends a script that has used it.
What no hook can end is a call of C, such as a pattern that backtracks for ever: the master kills a worker that does not
turn for `heartbeat_timeout`.
"""

from __future__ import annotations

import importlib
import threading
from collections import OrderedDict
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from corepool_kv.redis.replies import Error
from corepool_kv.redis.scripts.lua_numbers import bit_functions, pack, pack_float, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MEMORY_BYTES = 64 * 1024 * 1024
"""Of all that scripts keep and hold, in one worker."""

_RESERVE_BYTES = 4 * 1024 * 1024
"""Above the memory of scripts: what Python puts into the runtime between two looks at it."""

_VALUE_BYTES = 64
"""The cost of a value in Lua besides its bytes, at least."""

_MAX_FUNCTIONS = 500
"""Compiled scripts that are kept."""

_MAX_LIBRARIES = 100
"""Libraries of functions that are kept."""

_LIBRARIES = ("bit", "cjson", "cmsgpack", "struct")

NOT_INSTALLED = "ERR scripts need the package lupa, which is not installed here: pip install 'corepool[scripts]'"


class Calls(Protocol):
    """What a script that runs calls."""

    resp3: bool
    """The script has asked for replies of RESP3."""

    def call(self, *words: object) -> tuple[object, object]:
        """Run a command; return a value for Lua and its kind: None: it is the value, b"ok", b"err", or b"void"."""

    def log(self, level: float, message: bytes) -> None:
        """Log a line."""


class Failure(NamedTuple):
    """The end of a script by an error."""

    message: bytes
    line: int | None


class Function(NamedTuple):
    """A function of a library."""

    name: bytes
    body: Any
    """Lua's, in this runtime."""
    flags: tuple[str, ...]
    description: bytes | None


class Expired(NamedTuple):
    """The end of a script that was ended: its time is over, or its transaction is void."""


def no_attributes(target: object, name: object, is_setting: bool) -> object:  # noqa: ARG001, FBT001  # lupa calls it
    """Refuse every access to an attribute of an object of Python."""
    raise AttributeError("scripts have no access to Python")


class Runtime:
    """Compiled scripts, and the runtime that runs them. One script runs at a time, in whatever thread."""

    def __init__(self, version: str, functions: Mapping[str, Callable[..., object]]) -> None:
        """Make the runtime.

        :param version: Redis's, as scripts see it.
        :param functions: `sha1hex`, `is_command` and `check_function`, for scripts.
        :raises Error: lupa is not installed.
        """
        try:
            lua51: Any = importlib.import_module("lupa.lua51")
        except ImportError:
            raise Error(NOT_INSTALLED) from None
        self._error = lua51.LuaError
        self._lua = lua51.LuaRuntime(
            encoding=None,
            source_encoding="utf-8",
            attribute_filter=no_attributes,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            max_memory=MEMORY_BYTES + _RESERVE_BYTES,
        )
        self._lock = threading.Lock()
        self._calls: Calls
        self._functions: OrderedDict[bytes, Any] = OrderedDict()
        self._libraries: OrderedDict[bytes, dict[bytes, Function]] = OrderedDict()
        major, minor, patch = map(int, version.split("."))
        python: dict[str, object] = {
            "version": version.encode(),
            "version_number": major << 16 | minor << 8 | patch,
            "call": self._call,
            "log": self._log,
            "setresp": self._set_resp,
            "has_resp3": lambda: self._calls.resp3,
            "pack": pack,
            "pack_float": pack_float,
            "unpack": unpack,
            **functions,
            **bit_functions(),
        }
        table = self._lua.table_from({name.encode(): value for name, value in python.items()})
        make_null = self._lua.eval(b"newproxy")
        null = make_null()
        libraries = {}
        for name in _LIBRARIES:
            made = self._load(name, null if name == "cjson" else table)
            libraries[name.encode()] = made() if name == "cjson" else made
        kib = MEMORY_BYTES // 1024
        made = self._load("sandbox", table, kib, self._lua.table_from(libraries))
        self._compile, self._run, self._clean, self._load_library = made

    @property
    def used_bytes(self) -> int:
        """Memory that the runtime has."""
        used: int = self._lua.get_memory_used() or 0
        return used

    def forget(self) -> None:
        """Forget all compiled scripts."""
        with self._lock:
            self._functions.clear()
            self._libraries.clear()

    def compile(self, digest: bytes, text: bytes) -> None:
        """Compile a script, unless it was.

        :raises Error: it has a mistake in its syntax, or does not fit.
        """
        with self._lock:
            self._compiled(digest, text)

    def run(
        self,
        digest: bytes,
        text: bytes,
        words: tuple[Sequence[bytes], Sequence[bytes]],
        calls: Calls,
        limits: tuple[bool, float],
    ) -> bytes | Failure | Expired:
        """Run a script, and return its reply as the client gets it, or how it has failed.

        :param words: its keys and its arguments.
        :param limits: whether the client has chosen RESP3, and how many seconds of CPU time it has.
        :raises Error: it can't be compiled, or has no room.
        """
        with self._lock:
            return self._run_body(self._compiled(digest, text), words, calls, limits, is_function=False)

    def functions_of(self, text: bytes, seconds: float) -> dict[bytes, Function]:
        """Return the functions of a library, by their names; the library runs, unless it has.

        :param text: without its first line.
        :param seconds: of CPU time that it has.
        :raises Error: it has a mistake, does not fit, or takes too long.
        """
        with self._lock:
            return self._loaded(text, seconds)

    def run_function(
        self,
        text: bytes,
        name: bytes,
        words: tuple[Sequence[bytes], Sequence[bytes]],
        calls: Calls,
        limits: tuple[bool, float],
    ) -> bytes | Failure | Expired:
        """Run a function of a library.

        Other arguments, the result and errors as `run`.

        :param text: of the library, as of `functions_of`.
        """
        with self._lock:
            body = self._loaded(text, limits[1])[name].body
            return self._run_body(body, words, calls, limits, is_function=True)

    def _run_body(
        self,
        body: object,
        words: tuple[Sequence[bytes], Sequence[bytes]],
        calls: Calls,
        limits: tuple[bool, float],
        *,
        is_function: bool,
    ) -> bytes | Failure | Expired:
        keys, args = words
        self._find_room(sum(map(len, keys)) + sum(map(len, args)) + _VALUE_BYTES * (len(keys) + len(args)))
        self._calls = calls
        try:
            found = self._run(body, self._lua.table_from(keys), self._lua.table_from(args), *limits, is_function)
        except self._error:  # for want of memory, where no script runs any more
            self._clean()
            found = None, b"ERR not enough memory"
        if isinstance(found, bytes):
            return found
        if found is None:
            return Expired()
        _, message, line = (*found, None)[:3]
        return Failure(message, line)

    def has_room(self, size: int) -> bool:
        """Report whether values of about so many bytes can be put into the runtime while a script runs."""
        return self.used_bytes + size + _RESERVE_BYTES // 4 < MEMORY_BYTES + _RESERVE_BYTES

    def table(self, values: object) -> object:
        """Return a table of Lua, for a value that `call` returns."""
        return self._lua.table_from(values)

    def _compiled(self, digest: bytes, text: bytes) -> Any:
        function = self._functions.get(digest)
        if function is None:
            self._find_room(8 * len(text))  # machine code of Lua is some times as long
            found = self._compile(text)
            if isinstance(found, tuple):
                raise Error(f"ERR Error compiling script (new function): {found[1].decode(errors='surrogateescape')}")
            function = self._functions[digest] = found
            if len(self._functions) > _MAX_FUNCTIONS:
                self._functions.popitem(last=False)
        else:
            self._functions.move_to_end(digest)
        return function

    def _loaded(self, text: bytes, seconds: float) -> dict[bytes, Function]:
        library = self._libraries.get(text)
        if library is not None:
            self._libraries.move_to_end(text)
            return library
        self._find_room(8 * len(text))
        try:
            found = self._load_library(text, seconds)
        except self._error:
            self._clean()
            raise Error("ERR not enough memory") from None
        if found is None:
            raise Error("ERR FUNCTION LOAD timeout")
        if isinstance(found, tuple):
            _, message, is_of_compiler = found
            what = "compiling function" if is_of_compiler else "registering functions"
            raise Error(f"ERR Error {what}: {message.decode(errors='surrogateescape').removeprefix('ERR ')}")
        library = {}
        for each in found.values():
            flags = tuple(flag for flag in each[b"flags"].decode().split(",") if flag)
            library[each[b"name"]] = Function(each[b"name"], each[b"body"], flags, each[b"description"])
        self._libraries[text] = library
        if len(self._libraries) > _MAX_LIBRARIES:
            self._libraries.popitem(last=False)
        return library

    def _find_room(self, size: int) -> None:
        limit_kib = MEMORY_BYTES // 1024
        if self.used_bytes + size < MEMORY_BYTES // 2:
            return
        if self._clean() + size / 1024 > limit_kib:
            self._functions.clear()
            self._libraries.clear()
            if self._clean() + size / 1024 > limit_kib:
                raise Error(f"ERR scripts, with their keys and arguments, may take {MEMORY_BYTES} bytes")

    def _call(self, *words: object) -> tuple[object, object]:
        return self._calls.call(*words)

    def _log(self, level: float, message: bytes) -> None:
        self._calls.log(level, message)

    def _set_resp(self, resp3: bool) -> None:  # noqa: FBT001  # as Lua calls it
        self._calls.resp3 = resp3

    def _load(self, name: str, *args: object) -> Any:
        text = files("corepool_kv.redis.scripts").joinpath("lua", f"{name}.lua").read_bytes()
        return self._lua.execute(text, *args, name=f"={name}.lua".encode())
