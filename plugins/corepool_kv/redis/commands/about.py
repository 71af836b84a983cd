"""COMMAND: the list of commands, and the facts about each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.categories import CATEGORIES, categories_of, names_in
from corepool_kv.redis.glob import Glob
from corepool_kv.redis.replies import Error, Set, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepool_kv.redis.entry import Command
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState


class About:
    """Answers questions about a table of commands."""

    def __init__(self, commands: Mapping[bytes, Command]) -> None:
        """Take the table, which may be filled later."""
        self._commands = commands

    def every(self, server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG002
        return [_info(each) for each in self._commands.values()]

    def count(self, server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG002
        return len(self._commands)

    def list_(self, server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG002
        match [arg.upper() for arg in args[:2]], args[2:]:
            case [], []:
                return list(self._commands)
            case [b"FILTERBY", b"PATTERN"], [pattern]:
                glob = Glob(pattern.lower())
                return [name for name in self._commands if glob.matches(name)]
            case [b"FILTERBY", b"ACLCAT"], [category]:
                return list(names_in(category.decode(errors="replace").lower(), self._commands.values()))
            case [b"FILTERBY", b"MODULE"], [_]:
                return []
        raise Error("ERR syntax error")

    def info(self, server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG002
        if len(args) > len(self._commands):
            raise Error(f"ERR there are only {len(self._commands)} commands")  # each costs more than its name
        found = [self._find(name) for name in args or self._commands]
        return [None if each is None else _info(each) for each in found]

    def docs(self, server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG002
        found = [self._find(name) for name in args or self._commands]
        return {each.name: _docs(each) for each in found if each is not None}

    def getkeys(self, server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG002
        found = self._commands.get(args[0].lower())
        if found is None:
            raise Error("ERR Invalid command specified")
        first, last, step = found.keys
        if not first and found.find_keys is None:
            raise Error("ERR The command has no key arguments")
        if not found.takes(len(args)):
            raise Error("ERR Invalid number of arguments specified for command")
        if found.find_keys is not None:
            return list(found.find_keys(args))
        return list(args[first : last + 1 if last > 0 else len(args) + 1 + last : step])

    def cat(self, server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG002
        """ACL CAT."""
        if len(args) > 1:
            raise Error("ERR unknown subcommand or wrong number of arguments for 'cat'. Try ACL HELP.")
        if not args:
            return [name.encode() for name in CATEGORIES]
        category = args[0].decode(errors="replace").lower()
        if category not in CATEGORIES:
            raise Error(f"ERR Unknown category '{text_of(args[0])}'")
        return list(names_in(category, self._commands.values()))

    def _find(self, name: bytes) -> Command | None:
        container, _, subcommand = name.lower().partition(b"|")
        found = self._commands.get(container)
        return found.subcommands.get(subcommand) if found is not None and subcommand else found


def _info(each: Command) -> Reply:
    flags = Set([str(flag) for flag in sorted(each.flags)])
    subcommands = [_info(sub) for sub in each.subcommands.values()]
    categories = Set([f"@{name}" for name in categories_of(each)])
    return [each.name, each.arity, flags, *each.keys, categories, [], [], subcommands]


def _docs(each: Command) -> Reply:
    described: dict[bytes, Reply] = {
        b"summary": each.summary.encode(),
        b"since": each.since.encode(),
        b"group": each.group.encode(),
    }
    if each.subcommands:
        described[b"subcommands"] = {sub.name: _docs(sub) for sub in each.subcommands.values()}
    return described
