"""The packages that `corepool new` writes: a small one for each kind of plugin, from the files in templates/.

The templates are whole packages of a plugin called example-plugin, whose files are valid as they stand; the new one
gets its own names in their place. What all kinds have in common is in templates/common/.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import keyword
import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from typing import TYPE_CHECKING

import tomli

import corepool
from corepool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from corepool.plugins.registry import Kind, Registry

# The same word is the folder, the distribution, the name in the configuration and, for a transport, the scheme of URLs:
# what all of them allow (RFC 3986, PEP 508), and that makes a module's name with "_" for "-".
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAX_NAME = 40
_ALLOWED = f"small letters, digits and single dashes, beginning with a letter, {_MAX_NAME} at most"

# Folders of Python projects, which tools take for something other than the package.
_FOLDERS = frozenset({"build", "dist", "docs", "src", "tests", "venv"})

# The name of the class in the templates.
_CLASS = "ExamplePlugin"

# PEP 8 has no such names, since they look like digits; linters insist.
_LIKE_DIGITS = frozenset({"I", "O"})


def check_name(name: str, kind: Kind, registry: Registry) -> None:
    """Refuse a name that can't be a plugin's.

    :raises ConfigError: with the mistake, and the allowed form.
    """
    module, class_name = _module(name), _class(name)
    advice = f"add a word of yours: my-{name}"
    owners = [f"{_a(each.kind)} of {each.distribution}" for each in registry.installed() if each.name == name]
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        problem = f"no name for a plugin; allowed are {_ALLOWED}"
    elif keyword.iskeyword(module) or keyword.issoftkeyword(module) or module in sys.stdlib_module_names:
        problem = f"Python itself has that word; {advice}"
    elif name in _FOLDERS:
        problem = f"tools take a folder of that name for something else; {advice}"
    elif owners:
        problem = f"{' and '.join(sorted(owners))} has that name already; {advice}"
    elif name in _needed():
        problem = f"it needs another package of that name itself; {advice}"
    elif class_name.startswith("Test"):
        problem = f"pytest would take its class, {class_name}, for tests; {advice}"
    elif class_name in _LIKE_DIGITS:
        problem = f"its class would be called {class_name}, which looks like a digit; {advice}"
    elif hasattr(builtins, class_name) or class_name in corepool.__all__ or class_name in _identifiers(kind):
        problem = f"its class would be called {class_name}, a name that it may need for something else; {advice}"
    elif _is_installed(module):
        problem = f"a module {module} is installed already, and would be in its way; {advice}"
    elif _is_distribution(name):
        problem = f"a distribution {name} is installed already, and would be replaced by it; {advice}"
    else:
        return
    raise ConfigError([f"{name!r}: {problem}"])


def write_package(target: Path, name: str, kind: Kind) -> None:
    """Write the package of a plugin: all of it, or nothing.

    :param target: its folder, which must not be there yet.
    :raises ConfigError: there is such a folder, or it can't be written.
    """
    words = _words(name, kind)
    try:
        target.mkdir()
    except FileExistsError:
        raise ConfigError([f"{target}: already exists; left untouched"]) from None
    except OSError as error:
        raise ConfigError([f"{target}: can't be made: {error.strerror}"]) from None
    try:
        for parts, text in _template(kind):
            path = target.joinpath(*(_replace(part, words) for part in parts))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_replace(text, words), encoding="utf-8")
    except OSError as error:
        shutil.rmtree(target, ignore_errors=True)
        raise ConfigError([f"{target}: can't be written: {error.strerror}"]) from None
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _module(name: str) -> str:
    return name.replace("-", "_")


def _class(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))


def _a(kind: str) -> str:
    singular = kind.removesuffix("s")
    return f"{'an' if singular[0] in 'aeiou' else 'a'} {singular}"


def _needed() -> set[str]:
    """Return the packages that the new package needs to be built, used and tested."""
    project = tomli.loads(_templates().joinpath("common", "pyproject.toml").read_text(encoding="utf-8"))
    requirements = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(each for extra in project["project"]["optional-dependencies"].values() for each in extra),
    ]
    return {re.split(r"[^a-z0-9-]", each)[0] for each in requirements}


def _identifiers(kind: Kind) -> set[str]:
    """Name all that the modules of a kind's template import, define and use, their own class aside."""
    found: set[str] = set()
    for parts, text in _template(kind):
        for node in ast.walk(ast.parse(text)) if parts[-1].endswith(".py") else ():
            match node:
                case ast.alias(name=name, asname=as_name):
                    found.add(as_name or name)
                case ast.ClassDef(name=name) | ast.Name(id=name):
                    found.add(name)
    return found - {_CLASS}


def _is_installed(module: str) -> bool:
    # A mere folder here (a package without __init__.py, for the interpreter) is the target's business.
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.origin is not None


def _is_distribution(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _words(name: str, kind: Kind) -> dict[str, str]:
    return {
        "an_example_kind": _a(kind),
        "example_kinds": kind,
        _CLASS: _class(name),
        "example_plugin": _module(name),
        "example-plugin": name,
    }


def _replace(text: str, words: dict[str, str]) -> str:
    # In one pass: a name may itself contain one of the words.
    return re.sub("|".join(map(re.escape, words)), lambda found: words[found[0]], text)


def _templates() -> Traversable:
    return files("corepool.cli").joinpath("templates")


def _template(kind: Kind) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each file of a kind's template: the parts of its path, and its text."""
    for folder in ("common", kind.removesuffix("s")):
        yield from _texts(_templates().joinpath(folder))


def _texts(folder: Traversable, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each file below a folder: the parts of its path, and its text."""
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if each.name == "__pycache__":  # an installer compiles whatever ends with .py
            continue
        if each.is_dir():
            yield from _texts(each, (*above, each.name))
        else:
            yield (*above, each.name), each.read_text(encoding="utf-8")
