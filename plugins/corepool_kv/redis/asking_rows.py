"""The subcommands that ask the other workers before they run, and their questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.commands import clients, overseeing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from corepool_kv.redis.peers import Question
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

ASKS: Mapping[str, Callable[[ServerState, Session, list[bytes]], Question]] = {
    "client|list": clients.question,
    "client|pause": overseeing.ask_to_pause,
    "client|unpause": overseeing.ask_to_end_pause,
    "config|resetstat": overseeing.ask_to_share,
}

ASKS_BEFORE_EXEC = frozenset(("client|list",))
"""Those of which nothing happens by the question alone: EXEC asks for them."""
