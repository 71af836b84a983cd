"""A row of the table of failing system calls, and the words that its rows share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from failing import ALWAYS, ANY, Kinds

ADD = 1
"""Of epoll_ctl(2)."""

EXHAUSTED = "EMFILE ENFILE ENOBUFS ENOMEM"

Outcome = Literal["answered", "waits", "closed"]


@dataclass(frozen=True)
class Row:
    """A call that fails, what the test does meanwhile, and what comes of it."""

    call: str
    where: Literal["master", "worker"]
    errors: str
    act: str
    """The activity meanwhile; `Stage` in test_failing_calls.py has a method of this name."""
    costs: str
    back: str = "at once"
    logged: str = ""
    """A text that the log must have meanwhile; "": none."""
    outcome: Outcome = "answered"
    """The fate of clients while the call fails: they are answered, wait until it no longer fails, or are closed."""
    on: str = ""
    kinds: Kinds = ANY
    operation: int = -1
    hits: int = 3
    """So many failures are awaited."""
    times: tuple[int, ...] = (1, ALWAYS)
    """The call fails so often: once with each error, and with the first one until the test ends it."""
    once: Outcome | None = None
    """The outcome when it fails once, where it is another."""
    traceback: bool = False
    """One is in the log: of a hook, or of a process that ends."""

    @property
    def name(self) -> str:
        return f"{self.where}-{self.call}-{self.act}-{self.on or 'any'}".replace(" ", "-").replace("'", "")


ACTS = {
    "ask_again": "while it serves",
    "ask_another": "while it serves",
    "ask_by_control": "while it answers a command",
    "connect": "while it accepts",
    "kill_worker": "when a worker is forked",
    "ask_admin": "while it answers a worker",
    "get_no_file": "while it serves a file",
    "reload": "in a reload",
    "reload_to_more": "in a reload",
    "scale": "in `scale`",
    "upgrade": "in an upgrade",
}
"""The activities, in words."""

CLIENT, CHANNEL = "a client's connection", "the channel"
