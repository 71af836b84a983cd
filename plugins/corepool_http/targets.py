"""Targets of the http protocol, taken apart: `module`, `module:attribute`, `module:factory("argument")`."""

from __future__ import annotations

import ast
from typing import NamedTuple


class Target(NamedTuple):
    """A target. `attribute` is empty where only a module is named; `call` has the arguments of a written call."""

    module: str
    attribute: str
    call: tuple[tuple[object, ...], dict[str, object]] | None


def split_target(target: str) -> Target:
    """Take a target apart.

    :raises ValueError: it is none; the message has the expected forms.
    """
    expected = f"target = {target!r}: expected MODULE:ATTRIBUTE, such as myapp:app, or MODULE, or MODULE:FACTORY(...)"
    module, colon, attribute = target.partition(":")
    if not module or (colon and not attribute):
        raise ValueError(expected)
    if module.endswith(".py"):
        raise ValueError(f"{expected}; a module is named without .py: {module.removesuffix('.py').replace('/', '.')}")
    if not all(part.isidentifier() for part in module.split(".")):
        raise ValueError(f"{expected}; {module!r} can't be the name of a module")
    if "(" not in attribute:
        return Target(module, attribute, None)
    try:
        call = ast.parse(attribute, mode="eval").body
        if isinstance(call, ast.Call) and all(each.arg is not None for each in call.keywords):
            arguments = tuple(map(ast.literal_eval, call.args))
            named: dict[str, object] = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
            return Target(module, ast.unparse(call.func), (arguments, named))
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        pass  # the same mistake
    raise ValueError(f"{expected}; arguments are literals, such as make('prod', debug=True)")
