"""The entry points of installed plugins, read from their files.

importlib.metadata says the same, but its import and its reading of every distribution took a sixth of a pool's start:
it is asked only where distributions are not folders beside their modules, and for the facts about one.
"""

from __future__ import annotations

import os
import re
import sys
from functools import reduce
from importlib import import_module
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from importlib.metadata import Distribution

_FOLDERS = (".dist-info", ".egg-info")
_FILE = "entry_points.txt"


class Entry(Protocol):
    """An entry point, as importlib.metadata's EntryPoint is one."""

    @property
    def group(self) -> str:
        """The group: what it is an entry point for."""

    @property
    def name(self) -> str:
        """The name that it has there."""

    @property
    def value(self) -> str:
        """MODULE:OBJECT."""

    @property
    def dist(self) -> Distribution | None:
        """The distribution that brought it."""

    def load(self) -> object:
        """Import it."""


class EntryOfFile(NamedTuple):
    """An entry point that a file tells."""

    group: str
    name: str
    value: str
    folder: str
    """The folder of its distribution's metadata."""

    @property
    def dist(self) -> Distribution:
        """The distribution that brought it."""
        from importlib.metadata import Distribution  # noqa: PLC0415 - see above

        return Distribution.at(self.folder)

    def load(self) -> object:
        """Import it."""
        module, _, attributes = self.value.partition("[")[0].partition(":")
        found: object = import_module(module.strip())
        return reduce(getattr, filter(None, attributes.strip().split(".")), found)


def entries_of(prefix: str, path: Sequence[str] | None = None) -> Iterable[Entry]:
    """Return the entry points whose group begins with `prefix`; of distributions with one name those of the first.

    :param path: folders to look into; None: sys.path.
    """
    folders = sys.path if path is None else path
    # Another finder may know distributions, and a zip file may hold some.
    if path is None and any(hasattr(each, "find_distributions") and each is not PathFinder for each in sys.meta_path):
        return _as_told(prefix)
    if any(os.path.isfile(each) for each in folders):  # noqa: PTH113 - "" is the folder we are in
        return _as_told(prefix)
    return [entry for folder in _metadata(folders) for entry in _read(folder, prefix)]


def _as_told(prefix: str) -> Iterable[Entry]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - see above

    every = entry_points()
    return [entry for group in every.groups if group.startswith(prefix) for entry in every.select(group=group)]


def _metadata(folders: Iterable[str]) -> Iterator[str]:
    """Yield the folder of metadata of each distribution."""
    known: set[str] = set()
    for folder in dict.fromkeys(folders):
        try:
            names = sorted(os.listdir(folder or "."))  # noqa: PTH208 - text is all that is wanted
        except OSError:  # python311.zip, which is missing mostly
            continue
        for each in names:
            stem, suffix = os.path.splitext(each)  # noqa: PTH122
            name = re.sub("[-_.]+", "-", stem.partition("-")[0]).lower()
            if suffix in _FOLDERS and name not in known:
                known.add(name)
                yield os.path.join(folder, each)  # noqa: PTH118


def _read(folder: str, prefix: str) -> Iterator[EntryOfFile]:
    try:
        with open(os.path.join(folder, _FILE), encoding="utf-8") as file:  # noqa: PTH118, PTH123
            lines = file.read().splitlines()
    except (OSError, UnicodeError):  # most distributions have none
        return
    group = ""
    for line in map(str.strip, lines):
        if line.startswith("["):
            group = line.strip("[]").strip()
        elif "=" in line and not line.startswith("#") and group.startswith(prefix):
            name, _, value = line.partition("=")
            yield EntryOfFile(group, name.strip(), value.strip(), folder)
