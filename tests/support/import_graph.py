"""The imports between modules of this repository, those for the type checker included, and the circles among them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


def import_graph(packages: Iterable[Path]) -> dict[str, set[str]]:
    """Map each module of these packages to those of them that it imports at module level."""
    files = {_name(package.parent, path): path for package in packages for path in package.rglob("*.py")}
    return {
        name: {found for found in _imports(name, path) if found in files and found != name}
        | {found.rpartition(".")[0] for found in _imports(name, path) if found not in files} & files.keys() - {name}
        for name, path in files.items()
    }


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other, directly or by way of others."""
    reached = {module: _reached(graph, module) for module in graph}
    groups = {
        tuple(sorted(other for other in reached[module] if module in reached[other]))
        for module in graph
        if module in reached[module]
    }
    return sorted(map(list, groups))


def _name(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(module: str, path: Path) -> Iterator[str]:
    """Yield each imported module, and each name that is imported from one: it may be a module."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in _at_module_level(ast.parse(path.read_text()).body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def _at_module_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        for name in ("body", "orelse", "finalbody", "handlers"):
            if isinstance(node, (ast.If, ast.Try, ast.With)):
                for inner in getattr(node, name, []):
                    yield from _at_module_level(inner.body if isinstance(inner, ast.ExceptHandler) else [inner])


def _reached(graph: Mapping[str, set[str]], module: str) -> set[str]:
    found: set[str] = set()
    ahead = list(graph[module])
    while ahead:
        if (name := ahead.pop()) not in found:
            found.add(name)
            ahead += graph[name]
    return found
