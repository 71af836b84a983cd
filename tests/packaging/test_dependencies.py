"""Every imported package is a declared dependency: one that another brings along may be gone with its next release."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import tomli

import corepool

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(corepool.__file__).parents[1]
PROJECT = tomli.loads((REPOSITORY / "pyproject.toml").read_text())
# Of an extra, and of packages that test with corepool.testing.
OPTIONAL = {"channels", "pytest", "redis", "socketio", "watchfiles", "yaml"}


def imported(path: Path) -> Iterator[str]:
    """List what a module imports when it runs."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                waiting += node.orelse
            case ast.Import():
                yield from (each.name for each in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case _:
                waiting += ast.iter_child_nodes(node)


def test_every_package_that_is_imported_is_a_dependency() -> None:
    packages = [REPOSITORY / each for each in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
    files = [file for package in packages for file in package.rglob("*.py") if "templates" not in file.parts]
    found = {name.partition(".")[0] for file in files for name in imported(file)}
    asked = {re.split(r"[><=\[ ]", each)[0].replace("-", "_") for each in PROJECT["project"]["dependencies"]}

    assert found - sys.stdlib_module_names - {package.name for package in packages} - OPTIONAL == asked
