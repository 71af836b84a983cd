"""EVAL and SCRIPT: a script runs in one transaction, in which nothing else happens."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from corepool_kv.engine.errors import AbandonedError
from corepool_kv.redis.numbers import parse_integer
from corepool_kv.redis.replies import OK, Encoded, Error, encode
from corepool_kv.redis.scripts import functions, library
from corepool_kv.redis.scripts.calls import ScriptCalls
from corepool_kv.redis.scripts.runtime import Expired, Failure, Runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.entry import Command
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

_NOT_FOUND = "NOSCRIPT No matching script. Please use EVAL."


class Scripting:
    """The commands of scripts over a table of commands."""

    def __init__(self, commands: Mapping[bytes, Command]) -> None:
        """Take the table, which may be filled later."""
        self._commands = commands

    def eval(self, server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:
        """EVAL: a script that runs is known from then on."""
        digest = library.digest_of(args[0])
        script = library.parse(args[0], digest)
        self.runtime(server).compile(digest, script.text)
        library.keep(db, digest, args[0])
        return self._run(server, session, db, script, args[1:])

    def eval_ro(self, server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:
        script = library.parse(args[0], library.digest_of(args[0]))
        return self._run(server, session, db, script._replace(writes=False), args[1:])

    def evalsha(self, server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:
        return self._run(server, session, db, _found(db, args[0]), args[1:])

    def evalsha_ro(self, server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:
        return self._run(server, session, db, _found(db, args[0])._replace(writes=False), args[1:])

    def load(self, server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG002
        digest = library.digest_of(args[0])
        self.runtime(server).compile(digest, library.parse(args[0], digest).text)
        library.keep(db, digest, args[0])
        return digest

    def runtime(self, server: ServerState) -> Runtime:
        """Return the runtime of this listener in this worker.

        :raises Error: there is no Lua here.
        """
        if server.scripts is None:
            called: dict[str, Callable[..., object]] = {
                "sha1hex": lambda text: hashlib.sha1(text).hexdigest().encode(),  # noqa: S324  # the name of the function
                "check_function": functions.check_function,
                "is_command": lambda name: isinstance(name, bytes) and name.lower() in self._commands,
            }
            server.scripts = Runtime(server.redis_version, called)
        return server.scripts

    def _run(
        self, server: ServerState, session: Session, db: Keyspace, script: library.Script, args: list[bytes]
    ) -> Reply:
        runtime = self.runtime(server)
        words = keys_and_arguments(args)
        limits = (session.resp3, time_of_scripts(server))

        def run(calls: ScriptCalls) -> bytes | Failure | Expired:
            return runtime.run(script.digest, script.text, words, calls, limits)

        return self.run(server, session, db, run, (script.digest.decode(), "user_script"), writes=script.writes)

    def run(
        self,
        server: ServerState,
        session: Session,
        db: Keyspace,
        run: Callable[[ScriptCalls], bytes | Failure | Expired],
        names: tuple[str, str],
        *,
        writes: bool,
    ) -> Reply:
        """Run a script or function, and return the reply.

        :param names: its own, and the one that lines have in errors.
        :param writes: it may change data.
        """
        calls = ScriptCalls(server, session, db, self._commands, self.runtime(server))
        calls.reads_only = not writes
        result = run(calls)
        if calls.failure is not None:
            raise calls.failure
        match result:
            case bytes():
                return Encoded(result)
            case Failure(message, line):
                name, source = names
                where = "." if line is None else f", on @{source}:{line}."
                return Error(f"{message.decode(errors='surrogateescape')} script: {name}{where}")
            case Expired():
                seconds = time_of_scripts(server)
                fault = Error(f"ERR script timed out after {seconds:g} s of CPU time: nothing that it did has happened")
                if calls.has_written:
                    raise AbandonedError(encode(fault, session.resp3))
                return fault


def time_of_scripts(server: ServerState) -> float:
    """Return the seconds of CPU time that a script has."""
    return int(server.parameters["busy-reply-threshold"]) / 1000


def exists(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    return [int(library.find(db, digest.lower()) is not None) for digest in args]


def flush(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    if len(args) > 1 or (args and args[0].upper() not in (b"SYNC", b"ASYNC")):
        raise Error("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
    library.forget_all(db)
    if server.scripts is not None:
        server.scripts.forget()
    return OK


def _found(db: Keyspace, name: bytes) -> library.Script:
    digest = name.lower()
    text = library.find(db, digest)
    if text is None:
        raise Error(_NOT_FOUND)
    return library.parse(text, digest)


def keys_and_arguments(args: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Return the keys behind their number, and the arguments.

    :raises Error: the number is wrong.
    """
    number = parse_integer(args[0])
    if number > len(args) - 1:
        raise Error("ERR Number of keys can't be greater than number of args")
    if number < 0:
        raise Error("ERR Number of keys can't be negative")
    return args[1 : number + 1], args[number + 1 :]
