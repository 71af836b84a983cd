"""FUNCTION and FCALL: libraries of functions, which all workers know, and which outlive the pool with the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.commands.dumping import MAX_DUMP_BYTES
from corepool_kv.redis.commands.scripting import keys_and_arguments, time_of_scripts
from corepool_kv.redis.dump_reader import DumpError
from corepool_kv.redis.dumps import dump_of_libraries, is_sound, load_libraries
from corepool_kv.redis.glob import Glob
from corepool_kv.redis.numbers import parse_integer
from corepool_kv.redis.replies import OK, Error, Set, text_of
from corepool_kv.redis.scripts.functions import MAX_LIBRARIES, MAX_LIBRARY_BYTES, Libraries, Listed, parse_library

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.commands.scripting import Scripting
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.scripts.calls import ScriptCalls
    from corepool_kv.redis.scripts.runtime import Expired, Failure
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState


_WRONG_POLICY = "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."
_FRAME_BYTES = 16
"""Of a library in a dump besides its text, at most."""


class Functions:
    """The commands of functions."""

    def __init__(self, scripting: Scripting) -> None:
        """Take what runs scripts."""
        self._scripting = scripting

    def load(self, server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG002
        *options, text = args
        for option in options:
            if option.upper() != b"REPLACE":
                raise Error(f"ERR Unknown option given: {text_of(option)}")
        name, body = parse_library(text)
        libraries = Libraries(db)
        if name in libraries.all and not options:
            raise Error(f"ERR Library '{name}' already exists")
        libraries.put(name, text, self._listed(server, body))
        return name.encode()

    def restore(self, server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG002
        """FUNCTION RESTORE: all libraries are kept, or none."""
        dumped, *policies = args
        if len(policies) > 1:
            raise Error("ERR unknown subcommand or wrong number of arguments for 'RESTORE'. Try FUNCTION HELP.")
        policy = policies[0].upper() if policies else b"APPEND"
        if policy not in (b"APPEND", b"REPLACE", b"FLUSH"):
            raise Error(_WRONG_POLICY)
        if len(dumped) > MAX_DUMP_BYTES:
            raise Error(f"ERR a serialized value of more than {MAX_DUMP_BYTES} bytes")
        if not is_sound(dumped):
            raise Error("ERR DUMP payload version or checksum are wrong")
        found: dict[str, tuple[bytes, list[Listed]]] = {}
        try:
            for text in load_libraries(dumped, MAX_LIBRARY_BYTES):
                name, body = parse_library(text)
                if name in found:
                    raise Error(f"ERR Library '{name}' already exists")
                if len(found) == MAX_LIBRARIES:  # each runs, and compressed ones are much longer than the dump
                    raise Error(f"ERR more than {MAX_LIBRARIES} libraries")
                found[name] = text, self._listed(server, body)
        except DumpError as error:
            raise Error(f"ERR {error}") from None
        Libraries(db).put_all(found, replaces=policy == b"REPLACE", clears=policy == b"FLUSH")
        return OK

    def _listed(self, server: ServerState, body: bytes) -> list[Listed]:
        """Return the functions of a library."""
        found = self._scripting.runtime(server).functions_of(body, time_of_scripts(server))
        if not found:
            raise Error("ERR No functions registered")
        return [
            Listed(
                each.name.decode(), each.flags, None if each.description is None else each.description.decode("latin-1")
            )
            for each in found.values()
        ]

    def fcall(self, server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:
        return self._call(server, session, db, args, may_write=True)

    def fcall_ro(self, server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:
        return self._call(server, session, db, args, may_write=False)

    def _call(
        self, server: ServerState, session: Session, db: Keyspace, args: list[bytes], *, may_write: bool
    ) -> Reply:
        name, *rest = args
        libraries = Libraries(db)
        found = libraries.find(name.decode("latin-1"))
        if found is None:
            raise Error("ERR Function not found")
        library, function = found
        parse_integer(rest[0], "ERR Bad number of keys provided")
        words = keys_and_arguments(rest)
        writes = "no-writes" not in function.flags
        if writes and not may_write:
            raise Error("ERR Can not execute a script with write flag using *_ro command.")
        runtime = self._scripting.runtime(server)
        _, body = parse_library(libraries.text(library))
        limits = (session.resp3, time_of_scripts(server))

        def run(calls: ScriptCalls) -> bytes | Failure | Expired:
            return runtime.run_function(body, name, words, calls, limits)

        return self._scripting.run(server, session, db, run, (function.name, "user_function"), writes=writes)


def dump(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    libraries = Libraries(db)
    texts: list[bytes] = []
    left = MAX_DUMP_BYTES - MAX_LIBRARIES * _FRAME_BYTES
    for library in libraries.all:
        texts.append(libraries.text(library))
        left -= len(texts[-1])
        if left < 0:
            raise Error(
                f"ERR libraries of more than {MAX_DUMP_BYTES} bytes are not serialized: FUNCTION LIST WITHCODE has them"
            )
    return dump_of_libraries(texts)


def delete(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    if not Libraries(db).delete(args[0].decode("latin-1")):
        raise Error("ERR Library not found")
    return OK


def flush(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    if len(args) > 1:
        raise Error("ERR unknown subcommand or wrong number of arguments for 'flush'. Try FUNCTION HELP.")
    if args and args[0].upper() not in (b"SYNC", b"ASYNC"):
        raise Error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    Libraries(db).clear()
    return OK


def list_(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    with_code = False
    glob: Glob | None = None
    words = iter(args)
    for word in words:
        if word.upper() == b"WITHCODE" and not with_code:
            with_code = True
        elif word.upper() == b"LIBRARYNAME" and glob is None:
            pattern = next(words, None)
            if pattern is None:
                raise Error("ERR library name argument was not given")
            glob = Glob(pattern)
        else:
            # Of other errors the ends of lines at the end are cut off; of this one Redis makes blanks of them.
            text = text_of(word, len(word)).replace("\r", " ").replace("\n", " ")
            raise Error(f"ERR Unknown argument {text}")
    libraries = Libraries(db)
    return [
        _described(libraries, name, functions, with_code=with_code)
        for name, functions in libraries.all.items()
        if glob is None or glob.matches(name.encode())
    ]


def stats(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    libraries = Libraries(db)
    counts = {b"libraries_count": len(libraries.all), b"functions_count": libraries.functions}
    return {b"running_script": None, b"engines": {b"LUA": counts}}


def _described(libraries: Libraries, name: str, functions: list[Listed], *, with_code: bool) -> Reply:
    described: dict[bytes, Reply] = {
        b"library_name": name.encode(),
        b"engine": b"LUA",
        b"functions": [
            {
                b"name": each.name.encode(),
                b"description": None if each.description is None else each.description.encode("latin-1"),
                b"flags": Set(list(each.flags)),
            }
            for each in functions
        ],
    }
    if with_code:
        described[b"library_code"] = libraries.text(name)
    return described
