"""Plugins named by where their class is, `./hooks.py:Hooks` or `module:Class`: hooks without a package.

Runs in: the master, at the start and at each reload.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from corepool.errors import PluginError
from corepool.guards import HOOK_ERRORS
from corepool.logs.tracebacks import spell_place

if TYPE_CHECKING:
    from types import ModuleType


def is_reference(name: str) -> bool:
    """Return whether a plugin's name says where its class is."""
    return ":" in name


def load_reference(name: str) -> type:
    """Import the class that `FILE.py:CLASS` or `MODULE:CLASS` names.

    A file is imported anew when its content has changed; a module is imported once, as any other.

    :raises PluginError: there is no such file, module or class, or its import fails.
    """
    place, _, attribute = name.rpartition(":")
    if not place or not attribute:
        raise PluginError(f"{name!r}: expected FILE.py:CLASS or MODULE:CLASS")
    try:
        module = _of_file(Path(place)) if place.endswith(".py") else _of_path(place)
    except KeyboardInterrupt:  # the operator's
        raise
    except HOOK_ERRORS as error:
        spelt = spell_place(error)
        reason = f"{type(error).__name__}: {error}{spelt}"
        raise PluginError(f"{name!r} can't be imported: {reason}") from (error if spelt else None)
    found: object = getattr(module, attribute, None)
    if not isinstance(found, type):
        classes = ", ".join(
            key for key, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__
        )
        raise PluginError(f"{name!r}: {place} has no class {attribute!r}; it has: {classes or 'none'}")
    return found


def _of_file(path: Path) -> ModuleType:
    import hashlib  # noqa: PLC0415 - most plugins are no files

    source = path.read_bytes()
    # The name depends on the content: the same class serves until the file changes, and then another does.
    digest = hashlib.blake2s(bytes(path.resolve()) + b"\0" + source, digest_size=8).hexdigest()
    name = f"{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        # Not by the loader: its .pyc is judged by the second in which the source was saved.
        exec(compile(source, str(path), "exec"), vars(module))  # noqa: S102  # the operator's own file
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _of_path(name: str) -> ModuleType:
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)  # at the end: a file of this folder is not imported in place of an installed module
    return importlib.import_module(name)
