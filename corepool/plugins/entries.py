"""The entry points of installed plugins, read from their files.

importlib.metadata says the same, but its import and its reading of every distribution took a sixth of a pool's start:
it is asked where distributions are not folders beside their modules, where a file is not as installers write it, and
for the facts about one.
"""

from __future__ import annotations

import os
import re
import sys
from functools import reduce
from importlib import import_module
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, NamedTuple, Protocol

from corepool.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from importlib.metadata import Distribution

_FOLDERS = (".dist-info", ".egg-info")
_FILE = "entry_points.txt"
_HEADER = re.compile(r"\[([\w.-]+)]")
_VALUE = re.compile(r"[\w.]+\s*(:\s*[\w.]+\s*)?(\[.*])?")


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
    :raises PluginError: the entry points of a distribution are malformed.
    """
    folders = sys.path if path is None else path
    # Another finder may know distributions.
    if path is None and any(hasattr(each, "find_distributions") and each is not PathFinder for each in sys.meta_path):
        return _as_told(prefix, folders)
    try:
        return [entry for folder in _metadata(folders) for entry in _read(folder, prefix)]
    except _OddError:
        return _as_told(prefix, folders)


class _OddError(Exception):
    """Something is not as today's installers write it: importlib.metadata knows the rules, and the exceptions."""


def _as_told(prefix: str, path: Iterable[str]) -> Iterable[Entry]:
    from importlib.metadata import distributions  # noqa: PLC0415 - see above

    found: list[Entry] = []
    known: set[str] = set()
    # As entry_points() of importlib.metadata, which does not tell whose are malformed.
    for each in distributions(path=list(path)):
        name = _normal(each.name)
        if name not in known:
            known.add(name)
            try:
                found += (entry for entry in each.entry_points if entry.group.startswith(prefix))
            except (TypeError, ValueError) as error:
                raise PluginError(f"{_FILE} of distribution {each.name!r} is malformed: {error}") from None
    return found


def _normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def _metadata(folders: Iterable[str]) -> Iterator[str]:
    """Yield the folder of metadata of each distribution."""
    known: set[str] = set()
    for folder in dict.fromkeys(folders):
        if folder.lower().endswith(".egg") or os.path.isfile(folder):  # noqa: PTH113 - "" is the folder we are in
            raise _OddError
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 - text is all that is wanted
        except OSError:  # python311.zip, which is missing mostly
            continue
        here: set[str] = set()
        for each in sorted(names):
            stem, suffix = os.path.splitext(each)  # noqa: PTH122
            if suffix.lower() not in _FOLDERS:
                continue
            name = _normal(stem.partition("-")[0])
            if name in here:  # dist-info and egg-info, or remains of another version
                raise _OddError
            here.add(name)
            if name not in known:
                yield os.path.join(folder, each)  # noqa: PTH118
        known |= here


def _read(folder: str, prefix: str) -> Iterator[EntryOfFile]:
    try:
        with open(os.path.join(folder, _FILE), "rb") as file:  # noqa: PTH118, PTH123
            data = file.read()
    except OSError:  # most distributions have none
        return
    if prefix.encode() not in data:
        return
    try:
        lines = data.decode().splitlines()
    except UnicodeError:
        raise _OddError from None
    group = ""
    for line in map(str.strip, lines):
        if not line or line.startswith("#"):
            continue
        if header := _HEADER.fullmatch(line):
            group = header[1]
            continue
        name, _, value = (part.strip() for part in line.partition("="))
        if not _VALUE.fullmatch(value):
            raise _OddError
        if group.startswith(prefix):
            yield EntryOfFile(group, name, value, folder)
