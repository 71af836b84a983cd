"""A command, as COMMAND INFO describes it, and its handler."""

from __future__ import annotations

import sys
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.may_wait import MayWait
    from corepool_kv.redis.peers import Question
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

    OnData = Callable[[Keyspace, list[bytes]], Reply]
    OnSession = Callable[[ServerState, Session, list[bytes]], Reply]
    OnBoth = Callable[[ServerState, Session, Keyspace, list[bytes]], Reply]
    Demands = Callable[[list[bytes]], MayWait]


class Command:
    """A command or a subcommand: one of the handlers runs it, or none for those of MULTI and for containers.

    Nothing of it changes.
    """

    def __init__(
        self,
        name: bytes,
        arity: int,
        flags: frozenset[str],
        keys: tuple[int, int, int],
        group: str,
        since: str,
        summary: str,
        on_data: OnData | None = None,
        on_session: OnSession | None = None,
        on_both: OnBoth | None = None,
        syntax: str = "",
        find_keys: Callable[[list[bytes]], list[bytes]] | None = None,
        subcommands: Mapping[bytes, Command] = MappingProxyType({}),
        demands: Demands | None = None,
        asks: Callable[[ServerState, Session, list[bytes]], Question] | None = None,
        *,
        asks_before_exec: bool = False,
        is_transaction: bool = False,
    ) -> None:
        """Describe it.

        :param name: of a subcommand "container|name".
        :param arity: words, its own name among them; a negative number means at least so many.
        :param keys: the first and the last word that is a key, and the step between them.
        :param syntax: of a subcommand: what follows its name, for HELP.
        :param find_keys: returns the keys of a request that has any that `keys` does not tell.
        :param subcommands: by their own names, in lower case.
        :param demands: reads the words of a request that may wait. In MULTI and in scripts
            `on_both` runs it, which does not wait.
        :param asks: returns what the other workers are asked before it runs; the answers are in `Session.gathered`.
        :param asks_before_exec: in MULTI, too: nothing happens by the question alone.
        :param is_transaction: it changes what the engine keeps beside the data.
        """
        self.name = name
        self.arity = arity
        self.flags = flags
        self.keys = keys
        self.group = group
        self.since = since
        self.summary = summary
        self.on_data = on_data
        self.on_session = on_session
        self.on_both = on_both
        self.syntax = syntax
        self.find_keys = find_keys
        self.subcommands = subcommands
        self.demands = demands
        self.asks = asks
        self.asks_before_exec = asks_before_exec
        # Looked up with each request.
        self.writes = is_transaction or "write" in flags
        """It may change the data, or what the engine keeps beside them: it runs in a transaction."""
        self.grows = "denyoom" in flags
        """It may store more: it is refused if there is no room."""
        self.before_auth = "no_auth" in flags
        """It may be given before AUTH."""
        self.words = 2 if b"|" in name else 1
        """Words of its name."""
        # A container never takes a request as it is: `find_command` finds its subcommand.
        self.at_least = -arity if arity < 0 and not subcommands else sys.maxsize
        """Words, if their number is not fixed; of a container more than there can be."""

    def takes(self, words: int) -> bool:
        """Report whether it may be given this many words."""
        return words == self.arity or words >= self.at_least
