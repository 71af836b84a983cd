"""The modules of corepool as Python, also where they are compiled: to compare the two."""

from __future__ import annotations

import sys
from importlib.machinery import FileFinder, ModuleSpec, PathFinder, SourceFileLoader
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


class _Sources:
    """Finds the .py files of corepool, and no machine code."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.partition(".")[0] != "corepool":
            return None
        for folder in path or sys.path:
            spec = FileFinder(folder, (SourceFileLoader, [".py"])).find_spec(name, target)
            if spec is not None and spec.loader is not None:
                return spec
        if path is None:
            return PathFinder.find_spec(name)  # an editable install may have a finder of its own
        raise ModuleNotFoundError(name, name=name)


class AsPython:
    """While it is entered, `import` brings modules of corepool that run in Python: each time the same ones."""

    def __init__(self) -> None:
        self._own: dict[str, ModuleType] = {}
        self._others: dict[str, ModuleType] = {}

    def __enter__(self) -> Self:
        self._others = _take_out()
        sys.modules.update(self._own)
        sys.meta_path.insert(0, _Sources)  # type: ignore[arg-type]
        return self

    def __exit__(self, *_: object) -> None:
        sys.meta_path.remove(_Sources)  # type: ignore[arg-type]
        self._own = _take_out()
        sys.modules.update(self._others)


def _take_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == "corepool"]
    return {name: sys.modules.pop(name) for name in names}
