"""The page of the interface names all that is public: what it lacks may change, as it says."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest
from documents import DOCS

import corepool
import corepool.streams
import corepool.testing
from corepool.testing.dispatcher import DispatcherContract
from corepool.testing.extension import ExtensionContract
from corepool.testing.protocol import ProtocolContract
from corepool.testing.scaler import ScalerContract
from corepool.testing.transport import TransportContract

if TYPE_CHECKING:
    from types import ModuleType

SUITES = [ProtocolContract, ExtensionContract, DispatcherContract, TransportContract, ScalerContract]
FIXTURES = {"pool", "behind"}  # what their tests take as arguments
# By hand where autodoc would show what an alias is made of.
DIRECTIVE = re.compile(r"^\.\. (?:auto|py:)(\w+):: (\S+)\n((?:   :.*\n)*)", re.MULTILINE)


class Entry(NamedTuple):
    """One directive, and the options below it."""

    kind: str
    target: str
    options: dict[str, str]

    def names(self, module: ModuleType, name: str) -> bool:
        """Return whether the page has this name of a module."""
        thing = getattr(module, name)
        if self.kind != "module":
            where, _, its_name = self.target.rpartition(".")
            return its_name == name and getattr(importlib.import_module(where), name) is thing
        home = str(getattr(thing, "__module__", ""))
        is_listed = not self.options["members"] or name in self.options["members"].split(", ")
        is_its_own = home == self.target or not home.startswith("corepool")  # a mere value has no home
        is_shown = is_listed and (is_its_own or "imported-members" in self.options)
        return is_shown and getattr(importlib.import_module(self.target), name, None) is thing


def entries() -> list[Entry]:
    found = DIRECTIVE.findall((DOCS / "api.md").read_text())
    return [Entry(kind, target, dict(re.findall(r":([\w-]+): ?(.*)", options))) for kind, target, options in found]


@pytest.mark.parametrize("module", [corepool, corepool.streams], ids=lambda module: str(module.__name__))
def test_every_public_name_is_on_the_page(module: ModuleType) -> None:
    assert [name for name in module.__all__ if not any(each.names(module, name) for each in entries())] == []


def test_every_contract_suite_is_known_here() -> None:
    modules = [
        importlib.import_module(f"corepool.testing.{each.name}")
        for each in pkgutil.iter_modules(corepool.testing.__path__)
    ]

    assert {name for module in modules for name in vars(module) if name.endswith("Contract")} == {
        each.__name__ for each in SUITES
    }


@pytest.mark.parametrize("suite", SUITES)
def test_every_attribute_of_a_contract_suite_is_on_the_page(suite: type) -> None:
    (entry,) = [each for each in entries() if each.target == f"{suite.__module__}.{suite.__name__}"]

    its_own = {*vars(suite), *vars(suite).get("__annotations__", {})} - FIXTURES
    public = {name for name in its_own if not name.startswith(("_", "test_"))}
    assert set(entry.options["members"].split(", ")) == public
