"""A command, as COMMAND INFO describes it, and its handler."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class Command:
    """A command or a subcommand: one of the handlers runs it, or none for those of MULTI and for containers."""

    name: bytes
    """Of a subcommand "container|name"."""
    arity: int
    """Words, its own name among them; a negative number means at least so many."""
    flags: frozenset[str]
    keys: tuple[int, int, int]
    """The first and the last word that is a key, and the step between them."""
    group: str
    since: str
    summary: str
    on_data: OnData | None = None
    on_session: OnSession | None = None
    on_both: OnBoth | None = None
    syntax: str = ""
    """Of a subcommand: what follows its name, for HELP."""
    find_keys: Callable[[list[bytes]], list[bytes]] | None = None
    """Return the keys of a request that has any that `keys` does not tell."""
    subcommands: Mapping[bytes, Command] = field(default_factory=dict)
    """By their own names, in lower case."""
    demands: Demands | None = None
    """Read the words of a request that may wait. In MULTI and in scripts `on_both` runs it, which does not wait."""
    asks: Callable[[ServerState, Session, list[bytes]], Question] | None = None
    """Return what the other workers are asked before it runs; the answers are in `Session.gathered`."""
    asks_before_exec: bool = False
    """In MULTI, too: nothing happens by the question alone."""
    is_transaction: bool = False
    """It changes what the engine keeps beside the data."""

    writes: bool = field(init=False)
    """It may change the data, or what the engine keeps beside them: it runs in a transaction."""
    grows: bool = field(init=False)
    """It may store more: it is refused if there is no room."""
    before_auth: bool = field(init=False)
    """It may be given before AUTH."""
    words: int = field(init=False)
    """Words of its name."""
    at_least: int = field(init=False)
    """Words, if their number is not fixed; of a container more than there can be."""

    def __post_init__(self) -> None:
        # Looked up with each request.
        object.__setattr__(self, "writes", self.is_transaction or "write" in self.flags)
        object.__setattr__(self, "grows", "denyoom" in self.flags)
        object.__setattr__(self, "before_auth", "no_auth" in self.flags)
        object.__setattr__(self, "words", 2 if b"|" in self.name else 1)
        # A container never takes a request as it is: `find_command` finds its subcommand.
        at_least = -self.arity if self.arity < 0 and not self.subcommands else sys.maxsize
        object.__setattr__(self, "at_least", at_least)

    def takes(self, words: int) -> bool:
        """Report whether it may be given this many words."""
        return words == self.arity or words >= self.at_least
