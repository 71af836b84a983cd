"""Tests that look into the output of a pool that runs, where a line arrives some time after its effect was seen."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

_OUTPUTS = ("stderr", "stdout")
_ENDS = ("wait", "stop")
_SEARCHES = ("search", "findall", "match")

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def makers_of_pools(modules: Iterable[ast.Module]) -> set[str]:
    """Return the names of the functions that return a PoolProcess, going by their annotations."""
    functions = [each for module in modules for each in ast.walk(module) if isinstance(each, _Function)]
    return {each.name for each in functions if each.returns is not None and "PoolProcess" in ast.unparse(each.returns)}


def hasty_asserts(module: ast.Module, makers: Collection[str]) -> Iterator[int]:
    """Yield the lines where a test asserts that a running pool has printed something, and does not wait for it.

    :param makers: what `makers_of_pools` has found.
    """
    for function in (each for each in ast.walk(module) if isinstance(each, _Function)):
        for each in ast.walk(function):
            if isinstance(each, ast.Assert):
                for pool in filter(None, map(_pool_searched, ast.walk(each.test))):
                    if _is_pool(pool, function, makers) and not _has_ended(pool, function, each.lineno):
                        yield each.lineno


def _pool_searched(node: ast.AST) -> str | None:
    """Return the object in whose output an expression looks for something."""
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In):
        return _pool_whose_output(node.comparators[0])
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _SEARCHES
        and node.args
    ):
        return _pool_whose_output(node.args[-1])
    return None


def _pool_whose_output(node: ast.AST) -> str | None:
    found = (each for each in ast.walk(node) if isinstance(each, ast.Attribute) and each.attr in _OUTPUTS)
    return next((ast.unparse(each.value) for each in found), None)


def _is_pool(name: str, function: _Function, makers: Collection[str]) -> bool:
    if name.endswith(".running"):
        return True
    annotations = {
        each.arg: ast.unparse(each.annotation)
        for each in (*function.args.args, *function.args.kwonlyargs)
        if each.annotation is not None
    }
    if annotations.get(name) == "PoolProcess":
        return True
    return any(
        root in makers or root == "PoolProcess" or annotations.get(root) == "Pools"
        for root in map(_root, _values_of(name, function))
    )


def _values_of(name: str, function: _Function) -> Iterator[ast.expr]:
    for each in ast.walk(function):
        if isinstance(each, ast.Assign) and name in map(ast.unparse, each.targets):
            yield each.value
        if (
            isinstance(each, ast.withitem)
            and each.optional_vars is not None
            and ast.unparse(each.optional_vars) == name
        ):
            yield each.context_expr


def _root(value: ast.expr) -> str:
    """Return the name at the beginning of a call such as `pool.serve(...)`."""
    while isinstance(value, ast.Call | ast.Attribute):
        value = value.func if isinstance(value, ast.Call) else value.value
    return value.id if isinstance(value, ast.Name) else ""


def _has_ended(name: str, function: _Function, line: int) -> bool:
    """Return whether a pool was waited for, or its `with` block is over."""
    for each in ast.walk(function):
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.lineno < line:
            if each.func.attr in _ENDS and ast.unparse(each.func.value) == name:
                return True
        elif isinstance(each, ast.With) and (each.end_lineno or line) < line and name in _bound_by(each):
            return True
    return False


def _bound_by(block: ast.With) -> list[str]:
    return [ast.unparse(each.optional_vars) for each in block.items if each.optional_vars is not None]
