"""The rows of the table of commands for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.commands.functions import Functions
from corepool_kv.redis.entry import Command
from corepool_kv.redis.key_positions import numbered

if TYPE_CHECKING:
    from corepool_kv.redis.commands.scripting import Scripting
    from corepool_kv.redis.entry import OnBoth


def _row(name: str, handler: OnBoth, flags: str, since: str, summary: str) -> Command:
    return Command(
        name.encode(),
        -3,
        frozenset(("noscript", "stale", "skip_monitor", "no_mandatory_keys", "movablekeys", *flags.split())),
        (0, 0, 0),
        "scripting",
        since,
        summary,
        on_both=handler,
        find_keys=numbered(2),
        is_transaction="readonly" not in flags,
    )


def on_scripts(scripting: Scripting) -> tuple[Command, ...]:
    """Return the rows."""
    functions = Functions(scripting)
    return (
        _row("fcall", functions.fcall, "", "7.0.0", "Call a function."),
        _row("fcall_ro", functions.fcall_ro, "readonly", "7.0.0", "Call a function that only reads."),
        _row("eval", scripting.eval, "", "2.6.0", "Run a script in Lua."),
        _row("eval_ro", scripting.eval_ro, "readonly", "7.0.0", "Run a script in Lua that only reads."),
        _row("evalsha", scripting.evalsha, "", "2.6.0", "Run a script that was sent before, by its SHA-1."),
        _row("evalsha_ro", scripting.evalsha_ro, "readonly", "7.0.0", "The same, of a script that only reads."),
    )
