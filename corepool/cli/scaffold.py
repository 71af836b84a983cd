"""What `corepool new` writes: a small package for each kind of plugin, from the files in templates/.

The templates are whole packages of a plugin called example-plugin, whose files are valid as they stand; the new one
has its own words in the place of these. What all kinds have alike is in templates/common/.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
import shutil
import sys
from importlib.resources import files
from typing import TYPE_CHECKING

from corepool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from corepool.registry import Kind, Registry

# The same word is the folder, the distribution, the name in the configuration and, for a transport, the scheme of URLs:
# what all of them allow (RFC 3986, PEP 508), and that makes a module's name with "_" for "-".
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME = 40
_ALLOWED = f"small letters, digits and single dashes, beginning with a letter, {_LONGEST_NAME} at most"

# Folders of Python projects, which tools take for something else than the package.
_FOLDERS = frozenset({"build", "dist", "docs", "src", "tests", "venv"})


def check_name(name: str, kind: Kind, registry: Registry) -> None:
    """Refuse a name that can't be a plugin's.

    :raises ConfigError: what is wrong with it, and what is allowed.
    """
    module = _module(name)
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        problem = f"no name for a plugin; allowed are {_ALLOWED}"
    elif keyword.iskeyword(module) or keyword.issoftkeyword(module) or module in sys.stdlib_module_names:
        problem = f"Python itself has that word; add one of yours: my-{name}"
    elif name in _FOLDERS:
        problem = f"tools take a folder of that name for something else; add a word of yours: my-{name}"
    elif name in registry.names(kind):
        owners = " and ".join(
            sorted(each.distribution for each in registry.installed() if (each.kind, each.name) == (kind, name))
        )
        problem = f"a {kind.removesuffix('s')} of that name is installed already, by {owners}; choose another"
    elif _is_installed(module):
        problem = f"a module {module} is installed already, and would be in its way; add a word of yours: my-{name}"
    else:
        return
    raise ConfigError([f"{name!r}: {problem}"])


def write_package(target: Path, name: str, kind: Kind) -> None:
    """Write the package of a plugin: all of it, or nothing.

    :param target: its folder, which must not be there yet.
    :raises ConfigError: there is such a folder, or it can't be written.
    """
    words = _words(name, kind)
    templates = files("corepool.cli").joinpath("templates")
    try:
        target.mkdir()
    except FileExistsError:
        raise ConfigError([f"{target}: there is something of that name already; it was left as it is"]) from None
    except OSError as error:
        raise ConfigError([f"{target}: can't be made: {error.strerror}"]) from None
    try:
        for template in (templates.joinpath("common"), templates.joinpath(kind.removesuffix("s"))):
            for parts, text in _texts(template):
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


def _is_installed(module: str) -> bool:
    # A mere folder here (a package without __init__.py, for the interpreter) is the target's business.
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.origin is not None


def _words(name: str, kind: Kind) -> dict[str, str]:
    singular = kind.removesuffix("s")
    return {
        "an_example_kind": f"{'an' if singular[0] in 'aeiou' else 'a'} {singular}",
        "example_kinds": kind,
        "ExamplePlugin": "".join(word.capitalize() for word in name.split("-")),
        "example_plugin": _module(name),
        "example-plugin": name,
    }


def _replace(text: str, words: dict[str, str]) -> str:
    # In one pass: a name may itself contain one of the words.
    return re.sub("|".join(map(re.escape, words)), lambda found: words[found[0]], text)


def _texts(folder: Traversable, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give each file below a folder: the parts of its path, and what is in it."""
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if each.name == "__pycache__":  # an installer compiles whatever ends with .py
            continue
        if each.is_dir():
            yield from _texts(each, (*above, each.name))
        else:
            yield (*above, each.name), each.read_text(encoding="utf-8")
