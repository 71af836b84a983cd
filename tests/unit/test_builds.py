"""The tests run on the build that was asked for, compiled or pure."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import corepool
from corepool.build import is_compiled

ROOT = Path(corepool.__file__).parents[1]
TOPS = ("corepool", "plugins", "transports")


def test_the_checkout_is_built_as_was_asked() -> None:
    """`.ci/run` asks for one after the other: that both of its runs had the same would not show otherwise."""
    wish = os.environ.get("COREPOOL_COMPILE")

    assert wish is None or is_compiled() == (wish != "0")


def test_machine_code_is_what_runs_where_it_was_built_and_there_is_no_other() -> None:
    names = (ROOT / "corepool/compiled.txt").read_text().split() if is_compiled() else []
    specs = [find_spec(name) for name in names]

    used = {spec.origin for spec in specs if spec is not None}
    assert used == {str(path) for top in TOPS for path in (ROOT / top).rglob("*.so")}
    assert len(used) == len(names)
