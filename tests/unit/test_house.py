"""The size of files, the direction of imports, and the place of code: rules that linters do not have."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from import_graph import circles, import_graph

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGES = [
    ROOT / "corepool",
    *(path.parent for top in ("plugins", "transports") for path in ROOT.glob(f"{top}/*/*.py")),
]

MAX_LINES = 350
MAX_TEST_LINES = 450
MAX_CODE_LINES = 20
"""Of code inside of a string: a longer program is a file in tests/support/, for linters and readers."""


def lines(path: Path) -> int:
    return path.read_text().count("\n")


def test_no_product_file_is_long() -> None:
    sources = [path for top in ("corepool", "plugins", "transports") for path in (ROOT / top).rglob("*.py")]
    assert [path for path in sources if lines(path) > MAX_LINES] == [], "split them by purpose"


def test_no_test_file_is_long() -> None:
    assert [path for path in (ROOT / "tests").rglob("*.py") if lines(path) > MAX_TEST_LINES] == []


def test_each_test_file_has_a_name_of_its_own() -> None:
    """Test files are in no package: pytest refuses the second of a name, unless it runs them apart."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_no_modules_import_each_other() -> None:
    """Imports for the type checker count: two modules that know each other's types are one module in two files."""
    assert circles(import_graph(set(PACKAGES))) == []


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"a": "import p.b", "b": "import p.c", "c": ""}, []),
        ({"a": "import p.b", "b": "from p import a"}, [["p.a", "p.b"]]),
        ({"a": "from . import b", "b": "from .a import name"}, [["p.a", "p.b"]]),
        (
            {"a": "if TYPE_CHECKING:\n    from p.b import B", "b": "import p.c", "c": "import p.a"},
            [["p.a", "p.b", "p.c"]],
        ),
        ({"a": "import p.b", "b": "def late():\n    import p.a"}, []),
        ({"__init__": "from p.a import A", "a": "from p import B"}, [["p", "p.a"]]),
    ],
)
def test_circles_of_imports_are_found(tmp_path: Path, sources: dict[str, str], expected: list[list[str]]) -> None:
    package = tmp_path / "p"
    package.mkdir()
    for name, source in sources.items():
        (package / f"{name}.py").write_text(source)

    assert circles(import_graph([package])) == expected


def code_in_strings(path: Path) -> Iterator[str]:
    """Yield the places of strings that are programs of many lines."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.count("\n") > MAX_CODE_LINES:
            try:
                inner = ast.parse(node.value.replace("{", "").replace("}", ""))
            except SyntaxError:
                continue
            if any(isinstance(each, (ast.Import, ast.ImportFrom, ast.FunctionDef)) for each in ast.walk(inner)):
                yield f"{path.relative_to(ROOT)}:{node.lineno}"


def test_no_string_in_a_test_is_a_program() -> None:
    assert [place for path in (ROOT / "tests").rglob("*.py") for place in code_in_strings(path)] == []
