"""Finding the application that a target names."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corepool_http.options import HttpOptions


class LoadError(Exception):
    """The target names no application; `str()` says what was tried."""


def load(options: HttpOptions) -> object:
    """Import the application. Runs in: worker, so that a restart always runs new code.

    :raises LoadError: there is no such module or attribute.
    :raises Exception: whatever the module raises when it is imported.
    """
    directory = str(Path(options.directory).resolve())
    if directory not in sys.path:
        sys.path.insert(0, directory)
    module_name, _, attribute = options.target.partition(":")
    try:
        found: object = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise
        raise LoadError(
            f"target = {options.target!r}: there is no module {error.name!r} in {directory} or among what is installed"
        ) from None
    for name in attribute.removesuffix("()").split("."):
        if not hasattr(found, name):
            raise LoadError(f"target = {options.target!r}: module {module_name!r} has no {attribute!r}")
        found = getattr(found, name)
    if options.factory or attribute.endswith("()"):
        if not callable(found):
            raise LoadError(f"target = {options.target!r}: a factory has to be callable")
        found = found()
    if not callable(found):
        raise LoadError(f"target = {options.target!r}: {type(found).__name__} can't be called")
    return found


def is_asgi(application: object) -> bool:
    """Tell whether an application is ASGI's: a coroutine function, or an object whose call is one."""
    if inspect.iscoroutinefunction(application):
        return True
    call = getattr(application, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(call)
