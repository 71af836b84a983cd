"""`on_stop` is called once for each plugin that was started in the master, whatever reloads come in between."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from corepool.master.plugins import Plugins, call_hooks

if TYPE_CHECKING:
    from collections.abc import Callable

INFO = cast("Any", None)


def chain(told: list[str], name: str) -> Any:
    def tell(hook: str) -> Callable[[object], None]:
        return lambda _: told.append(f"{hook} {name}")

    return SimpleNamespace(on_start=tell("start"), on_stop=tell("stop"))


def test_plugins_begin_once_and_end_once_when_no_configuration_has_them() -> None:
    told: list[str] = []
    stays, leaves, comes, overtaken = (chain(told, name) for name in ("stays", "leaves", "comes", "overtaken"))
    plugins = Plugins()

    plugins.start([stays, leaves], INFO)
    plugins.start([stays, overtaken], INFO)  # a reload, and another before it has taken effect
    plugins.start([stays, comes], INFO)
    plugins.stop_others([stays, leaves, comes], INFO)  # a worker of the first still drains
    plugins.stop_others([stays, comes], INFO)
    plugins.stop_others([], INFO)
    plugins.stop_others([], INFO)

    assert told == [
        *("start stays", "start leaves", "start overtaken", "start comes"),
        *("stop overtaken", "stop leaves", "stop stays", "stop comes"),
    ]


def test_a_hook_that_fails_costs_the_others_nothing() -> None:
    told: list[str] = []
    broken = cast("Any", SimpleNamespace(on_start=lambda _: 1 / 0))
    silent = cast("Any", SimpleNamespace(on_start=None))

    call_hooks([broken, silent, chain(told, "other")], "on_start", INFO)

    assert told == ["start other"]
