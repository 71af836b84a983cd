"""A scaler's decision is obeyed if it is a number of workers, and else reported."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from corepool.config.settings import PoolSettings
from corepool.ipc.scoreboard import Scoreboard
from corepool.master.scaling import Scaling
from corepool.master.states import State
from corepool.plugins.listener import Configuration

if TYPE_CHECKING:
    from collections.abc import Callable


class OneWorker(list[Any]):
    """A table of workers: one is ready, two are wanted."""

    target = 2

    def ready(self) -> list[Any]:
        return self


def decide(scaler: Callable[[object], object]) -> int:
    entry = SimpleNamespace(pid=1, row=Scoreboard(1).claim(0), state=State.READY)
    configuration = Configuration(
        pool=PoolSettings(scaler="its-name"),
        identity=cast("Any", None),
        scaler=cast("Any", SimpleNamespace(decide=scaler)),
        min_workers=1,
        max_workers=4,
        bound=(),
    )
    return Scaling(0.0).decide(configuration, cast("Any", OneWorker([entry])), 1.0)


def test_what_it_says_is_kept_within_the_bounds() -> None:
    assert [decide(lambda _, wanted=wanted: wanted) for wanted in (0, 3, 9)] == [1, 3, 4]


@pytest.mark.parametrize(
    ("scaler", "says"),
    [(lambda _: 2.5, "expected a whole number"), (lambda _: None, "gave None"), (lambda _: sys.exit(1), "SystemExit")],
    ids=["half a worker", "nothing", "sys.exit"],
)
def test_one_that_is_wrong_changes_nothing_and_is_told(
    scaler: Callable[[object], object], says: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert decide(scaler) == 2
    assert "scaler=its-name" in caplog.text
    assert says in caplog.text
