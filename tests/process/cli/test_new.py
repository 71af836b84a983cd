"""`corepool new`: what it writes is complete, and passes its own checks as written."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from scratch import install, make_environment

from corepool.cli.new import PluginKind
from corepool.plugins.registry import KINDS

if TYPE_CHECKING:
    from conftest import Corepool

# Of one word, of several, and one that is the template's own.
NAMES = {
    "protocol": "shout",
    "dispatcher": "my-2nd-way",
    "transport": "blip",
    "extension": "example-plugin",
    "scaler": "a",
}
# Without dashes, so that its class has a name as long.
LONGEST = "thelongestnameisofexactlyfortycharacters"
DEADLINE_S = 100.0  # a suite of a dozen real pools, on a machine that runs other tests as well


def in_project(python: str, project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own words
        [python, "-m", *command], cwd=project, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make one of each kind."""
    folder = tmp_path_factory.mktemp("projects")
    for kind, name in NAMES.items():
        subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-m", "corepool", "new", name, "--kind", kind], cwd=folder, check=True, capture_output=True
        )
    return {kind: folder / name for kind, name in NAMES.items()}


@pytest.fixture(scope="module")
def authors_python(tmp_path_factory: pytest.TempPathFactory, projects: dict[str, Path]) -> str:
    """Return the interpreter of an environment that has all of them."""
    python = make_environment(tmp_path_factory.mktemp("author"))
    install(python, projects.values())
    return python


def test_every_kind_of_plugin_can_be_had() -> None:
    assert sorted(f"{kind}s" for kind in PluginKind) == sorted(KINDS)
    assert sorted(NAMES) == sorted(PluginKind)


@pytest.mark.parametrize("kind", NAMES)
def test_its_tests_pass_as_written(authors_python: str, projects: dict[str, Path], kind: str) -> None:
    done = in_project(authors_python, projects[kind], "pytest", "-p", "no:cacheprovider")

    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


@pytest.mark.parametrize("kind", NAMES)
def test_its_own_type_checker_has_nothing_to_say(authors_python: str, projects: dict[str, Path], kind: str) -> None:
    # One cache for all: what corepool itself takes is paid for once.
    done = in_project(authors_python, projects[kind], "mypy", "--strict", "--cache-dir", "../mypy_cache")

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["short", LONGEST])
@pytest.mark.parametrize("kind", NAMES)
def test_its_own_linter_has_nothing_to_say_however_long_its_name(
    corepool: Corepool, tmp_path: Path, kind: str, name: str
) -> None:
    corepool("new", name, "--kind", kind)

    for command in (("check",), ("format", "--check")):
        done = in_project(sys.executable, tmp_path / name, "ruff", *command, "--no-cache", ".")

        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", NAMES)
def test_its_configuration_has_no_mistakes(authors_python: str, projects: dict[str, Path], kind: str) -> None:
    done = in_project(authors_python, projects[kind], "corepool", "check")

    assert done.returncode == 0, done.stderr
    assert NAMES[kind] in done.stdout


@pytest.mark.parametrize("kind", NAMES)
def test_it_depends_on_what_it_imports(projects: dict[str, Path], kind: str) -> None:
    module = NAMES[kind].replace("-", "_")
    tree = ast.parse((projects[kind] / module / "__init__.py").read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}

    dependencies = tomllib.loads((projects[kind] / "pyproject.toml").read_text())["project"]["dependencies"]
    others = {each.partition(".")[0] for each in imported} - sys.stdlib_module_names
    assert others == {re.split(r"\W", each)[0] for each in dependencies}


@pytest.mark.parametrize("kind", NAMES)
def test_nothing_of_the_template_is_left_in_it(projects: dict[str, Path], kind: str) -> None:
    files = [path for path in projects[kind].rglob("*") if path.is_file()]
    module = NAMES[kind].replace("-", "_")

    expected = {".gitignore", "README.md", "corepool.toml", "pyproject.toml", f"tests/test_{module}.py"}
    expected |= {f"{module}/__init__.py", f"{module}/py.typed"}
    names = {str(path.relative_to(projects[kind])) for path in files}
    assert expected <= names
    if NAMES[kind] != "example-plugin":
        words = ("example-plugin", "example_plugin", "ExamplePlugin", "example_kind")
        assert [word for path in files if path.suffix != ".pyc" for word in words if word in path.read_text()] == []


def test_it_says_what_to_do_next(corepool: Corepool, tmp_path: Path) -> None:
    done = corepool("new", "shout")

    assert done.stdout.splitlines() == [
        "wrote shout/, a protocol with its tests. Next:",
        "",
        "  cd shout && pip install -e '.[test]'",
        "  pytest",
        "  corepool run corepool.toml",
    ]
    assert 'shout = "shout:Shout"' in (tmp_path / "shout" / "pyproject.toml").read_text()


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_existing_files_are_left_alone(corepool: Corepool, tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "shout")

    done = corepool("new", "shout")

    assert done.returncode == 2
    assert done.stderr == "corepool: shout: already exists; left untouched\n"
    assert [path.name for path in tmp_path.rglob("*")] == ["shout"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *((name, "allowed are small letters, digits and single dashes") for name in ("", "Shout", "my_way", "9lives")),
        *((name, "allowed are small letters") for name in ("a--b", "a-", "../up", "a b", "é", "a\nb", f"{LONGEST}x")),
        ("class", "Python itself has that word; add a word of yours: my-class"),
        ("json", "Python itself has that word"),
        ("tests", "tools take a folder of that name for something else"),
        ("testament", "pytest would take its class, Testament, for tests; add a word of yours: my-testament"),
        ("o", "its class would be called O, which looks like a digit; add a word of yours: my-o"),
        ("pluggy", "a module pluggy is installed already"),
        ("typing-extensions", "a module typing_extensions is installed already"),
        ("markdown-it-py", "a distribution markdown-it-py is installed already"),  # whose module is markdown_it
    ],
)
def test_a_bad_name_is_one_line_with_the_allowed_form(
    corepool: Corepool, tmp_path: Path, name: str, words: str
) -> None:
    done = corepool("new", name)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "name", "owner"),
    [
        ("protocol", "echo", "a protocol"),
        ("extension", "echo", "a protocol"),
        ("protocol", "fixed", "a scaler"),
        ("dispatcher", "access", "an extension"),
    ],
)
def test_a_name_that_a_plugin_of_any_kind_has_is_refused(corepool: Corepool, kind: str, name: str, owner: str) -> None:
    done = corepool("new", name, "--kind", kind)

    words = f"{owner} of corepool has that name already; add a word of yours: my-{name}"
    assert (done.returncode, done.stderr) == (2, f"corepool: {name!r}: {words}\n")


@pytest.mark.parametrize("name", ["corepool", "hatchling", "mypy", "pydantic", "pytest", "ruff"])
def test_a_name_of_something_that_it_needs_itself_is_refused_whether_that_is_installed_or_not(
    corepool: Corepool, name: str
) -> None:
    done = corepool("new", name)

    words = f"it needs another package of that name itself; add a word of yours: my-{name}"
    assert (done.returncode, done.stderr) == (2, f"corepool: {name!r}: {words}\n")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("protocol", "connection"),  # what corepool exports and the template imports
        ("protocol", "field"),  # what others export
        ("protocol", "close-reason"),  # what the tests import
        ("protocol", "worker"),  # what corepool exports, and the template does not import
        ("protocol", "true"),  # what Python has
        ("protocol", "exception"),
        *((kind, kind) for kind in ("dispatcher", "transport", "scaler")),
        ("dispatcher", "annotated"),
        ("dispatcher", "sequence"),
        ("transport", "path"),
        ("transport", "value-error"),
        ("extension", "conversations"),
        ("scaler", "validation-error"),
    ],
)
def test_a_name_whose_class_would_be_called_as_something_else_is_refused(
    corepool: Corepool, tmp_path: Path, kind: str, name: str
) -> None:
    done = corepool("new", name, "--kind", kind)

    class_name = "".join(map(str.capitalize, name.split("-")))
    words = f"its class would be called {class_name}, a name that it may need for something else"
    assert (done.returncode, done.stderr) == (2, f"corepool: {name!r}: {words}; add a word of yours: my-{name}\n")
    assert list(tmp_path.iterdir()) == []


def test_names_used_by_the_files_of_another_kind_are_free(corepool: Corepool) -> None:
    assert corepool("new", "sequence").returncode == 0


def test_an_unknown_kind_is_answered_with_the_known_ones(corepool: Corepool) -> None:
    done = corepool("new", "shout", "--kind", "protocl")

    assert done.returncode == 2
    assert [kind for kind in PluginKind if kind not in done.stderr] == []


def test_what_cannot_be_written_leaves_nothing(corepool: Corepool, tmp_path: Path) -> None:
    """No file may be larger than nothing: the folder can be made, what belongs into it can't be written."""
    command = ["prlimit", "--fsize=0", sys.executable, "-m", "corepool", "new", "shout"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603

    assert done.returncode == 2
    assert done.stderr == "corepool: shout: can't be written: File too large\n"
    assert list(tmp_path.iterdir()) == []
    assert corepool("new", "shout").returncode == 0
