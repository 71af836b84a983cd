"""Importing the object that an option names as "module:attribute", for plugins that run an application."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from corepool.errors import SetupError


class LoadError(SetupError):
    """The target names nothing; `str()` lists the attempts."""


def load_target(target: str, directory: str = ".") -> object:
    """Import the object that a target names. Runs in: worker, so that a restart always runs new code.

    :param target: "module:attribute", the attribute with dots if need be.
    :param directory: where modules are looked for first; it stays in sys.path.
    :raises LoadError: there is no such module or attribute.
    :raises Exception: whatever the module raises when it is imported.
    """
    folder = str(Path(directory).resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module_name, _, attribute = target.partition(":")
    try:
        found: object = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise
        raise LoadError(
            f"target = {target!r}: there is no module {error.name!r} in {folder} or among the installed packages"
        ) from None
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise LoadError(f"target = {target!r}: module {module_name!r} has no {attribute!r}")
        found = getattr(found, name)
    return found
