"""redis.call: running commands for a script, and turning their replies into values of Lua."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from corepool_kv import events
from corepool_kv.redis.numbers import parse_database
from corepool_kv.redis.replies import OK, Error, NullArray, Pairs, Set, Table, Verbatim, format_double, size_of, text_of
from corepool_kv.redis.running import ENDS_ONE_COMMAND, word
from corepool_kv.stores import StoreError

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.entry import Command
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.scripts.runtime import Runtime
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

log = logging.getLogger(__name__)

_WARNING, _NOTICE = 3, 2
_DEEPEST = 8
"""Tables in tables that a reply may be: deeper ones than commands return."""


class ScriptCalls:
    """What one run of a script calls. Implements `runtime.Calls`."""

    def __init__(
        self, server: ServerState, session: Session, db: Keyspace, commands: Mapping[bytes, Command], runtime: Runtime
    ) -> None:
        """Begin in a database.

        :param commands: the table of all commands.
        """
        self._server = server
        self._session = session
        self._db = db
        self._commands = commands
        self._runtime = runtime
        self.reads_only = False
        self.resp3 = False
        self.has_written = False
        """A command that changes data was called."""
        self.failure: Exception | None = None
        """It has voided the transaction."""

    def call(self, *words: object) -> tuple[object, object]:
        """Run a command. Never raises: an error of Python would be an object in Lua."""
        try:
            reply = self._run([_word(each) for each in words])
            if not self._runtime.has_room(2 * size_of(reply)):
                return b"ERR not enough memory for the reply", b"err"
            return self._answer(reply)
        except ENDS_ONE_COMMAND as error:
            return _text(word(error)), b"err"
        except Exception as error:  # noqa: BLE001  # raised again behind the script
            self.failure = error
            if not isinstance(error, StoreError):
                events.kv_command_failed.exception(log, error)
            return b"the transaction is void", b"void"

    def log(self, level: float, message: bytes) -> None:
        """Log a line of a script; those for debugging are dropped, as by Redis's defaults."""
        text = message.decode(errors="backslashreplace")
        if level >= _WARNING:
            events.kv_script_warned(log, text=text)
        elif level >= _NOTICE:
            events.kv_script_said(log, text=text)

    def _run(self, request: list[bytes]) -> Reply:
        if not request:
            raise Error("ERR Please specify at least one argument for this redis lib call")
        command = self._commands.get(request[0].lower())
        if command is not None and command.subcommands and len(request) > 1:
            command = command.subcommands.get(request[1].lower())
        if command is None:
            raise Error("ERR Unknown Redis command called from script")
        if not command.takes(len(request)):
            raise Error("ERR Wrong number of args calling Redis command from script")
        if "noscript" in command.flags or command.group == "scripting":
            raise Error("ERR This Redis command is not allowed from script")
        if self.reads_only and (command.writes or command.name == b"publish"):
            raise Error("ERR Write commands are not allowed from read-only scripts.")
        if self._server.is_watched:
            feed = self._server.oversight.feed_script
            self._db.at_end.append(functools.partial(feed, command, request, self._db.number))
        args = request[command.words :]
        if command.group == "stream" and command.demands is not None and command.demands(args).patience_ms is not None:
            raise Error(f"ERR {text_of(request[0])} command is not allowed with BLOCK option from scripts")
        if command.name == b"select":
            self._db = self._db.select(parse_database(args[0]))
            return OK
        if command.grows and not self.has_written:
            self._db.check_growth()  # as in Redis: a script that has begun to write goes on
        self.has_written = self.has_written or command.writes
        if command.on_data is not None:
            return command.on_data(self._db, args)
        if command.on_both is not None:
            return command.on_both(self._server, self._session, self._db, args)
        assert command.on_session is not None
        return command.on_session(self._server, self._session, args)

    def _answer(self, reply: Reply) -> tuple[object, object]:
        if isinstance(reply, bytes | int):
            return reply, None
        if isinstance(reply, str):
            return reply.encode(), b"ok"
        if isinstance(reply, Error):
            return _text(reply), b"err"
        return self._value(reply, 0), None

    def _value(self, reply: Reply, depth: int) -> object:
        """Return a reply as a value of Lua: RESP2's conversions, and RESP3's after redis.setresp(3)."""
        if isinstance(reply, bytes | int):
            return reply
        if reply is None or isinstance(reply, NullArray):
            return None if self.resp3 else False
        if depth > _DEEPEST:
            raise Error("ERR reached lua stack limit")
        table = self._runtime.table
        match reply:
            case str():
                return table({b"ok": reply.encode()})
            case Error():
                return table({b"err": _text(reply)})
            case float():
                return table({b"double": reply}) if self.resp3 else format_double(reply)
            case Verbatim():
                found = {b"format": b"txt", b"string": reply.text}
                return table({b"verbatim_string": table(found)}) if self.resp3 else reply.text
            case Mapping():
                if self.resp3:
                    return table({b"map": table({key: self._value(each, depth + 1) for key, each in reply.items()})})
                return self._list([part for item in reply.items() for part in item], depth)
            case Set():
                if self.resp3:
                    return table({b"set": table({self._value(each, depth + 1): True for each in reply.items})})
                return self._list(reply.items, depth)
            case Table():
                if self.resp3:
                    return table({b"map": table({key: self._value(each, depth + 1) for key, each in reply.rows})})
                return self._list([list(row) for row in reply.rows], depth)
            case Pairs():
                if self.resp3:
                    parts = reply.parts
                    pairs = [[one, two] for one, two in zip(parts[::2], parts[1::2], strict=True)]
                    return self._list(pairs, depth)
                return self._list(reply.parts, depth)
            case Sequence():
                return self._list(reply, depth)
        raise TypeError(f"no reply: {reply!r}")

    def _list(self, items: Sequence[Reply], depth: int) -> object:
        return self._runtime.table(
            [each if isinstance(each, bytes | int) else self._value(each, depth + 1) for each in items]
        )


def _word(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, float):
        return b"-nan" if value != value else b"%.17g" % value  # noqa: PLR0124  # as printf(3) has 0/0
    if isinstance(value, int) and not isinstance(value, bool):
        return b"%.17g" % float(value)
    raise Error("ERR Lua redis lib command arguments must be strings or integers")


def _text(error: Error) -> bytes:
    return str(error).rstrip("\r\n").replace("\r", " ").replace("\n", " ").encode(errors="surrogateescape")
