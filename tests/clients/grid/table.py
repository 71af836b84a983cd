"""Every check of the grid, by group."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING

from grid.checks import connections, content, errors, files, life, responses, routing, websockets

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from grid.client import Site


@dataclass(frozen=True)
class Check:
    """One question that every framework's application is asked."""

    group: str
    title: str
    run: Callable[[Site], None]

    @property
    def name(self) -> str:
        """The name in columns.py and in pytest: `websockets-ping-is-answered`."""
        return f"{self.group}-{self.run.__name__.replace('_', '-')}"

    @property
    def only_asks(self) -> bool:
        """Whether it asks by `Site.ask` alone, whatever the version of HTTP."""
        return not {"connection", "socket", "websocket"} & _names_in(self.run)


def _names_in(function: Callable[..., object]) -> set[str]:
    """Return the names that a function uses, and the functions of its own module that it calls."""
    found: set[str] = set()
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        codes += [each for each in code.co_consts if isinstance(each, CodeType)]
        new = set(code.co_names) - found
        found |= new
        called = (function.__globals__.get(name) for name in new)
        codes += [
            each.__code__ for each in called if inspect.isfunction(each) and each.__module__ == function.__module__
        ]
    return found


def checks() -> list[Check]:
    """List the checks, in the order in which their modules have them."""
    groups = (routing, content, responses, files, errors, life, connections, websockets)
    return [check for group in groups for check in _checks_of(group)]


def _checks_of(module: ModuleType) -> list[Check]:
    """List the public functions that a module defines."""
    group = module.__name__.rpartition(".")[2]
    title = (module.__doc__ or "").strip().rstrip(".")
    return [
        Check(group, title, value)
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    ]
