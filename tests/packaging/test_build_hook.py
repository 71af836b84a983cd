"""Compiled Python means the same: flags of the build see to that, each shown here by the mistake that it prevents."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from wheels import build_wheel

import corepool

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY = Path(corepool.__file__).parents[1]

pytestmark = pytest.mark.timeout(900)  # a compiler runs, beside other tests

THING_PXD = """
cdef class Thing:
    cdef public Thing other
    cdef public int small
    cpdef object call(self)
"""
THING_PY = """
class Thing:
    __slots__ = ("other", "small")

    def __init__(self) -> None:
        self.other = None
        self.small = 0

    def call(self):
        return self.other.small

    def annotated(self, number: float) -> float:
        return number
"""
UNCHECKED_PYX = """
def third(list items):
    return items[2]


def add(int one, int other):
    return one + other
"""
METHOD_PYX = """
from lab.thing cimport Thing

def run():
    call = Thing.call
    return call(Thing())
"""


@pytest.fixture(scope="module")
def hook() -> Any:
    spec = importlib.util.spec_from_file_location("hatch_build", REPOSITORY / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def package(folder: Path, **files: str) -> Path:
    lab = folder / "lab"
    lab.mkdir()
    for name, text in ({"__init___py": ""} | files).items():
        stem, _, suffix = name.rpartition("_")
        (lab / f"{stem}.{suffix}").write_text(text)
    return lab


def compile_beside(hook: Any, lab: Path, *, is_checked: bool = False) -> list[str]:
    """Compile, as for a checkout; return the names of the modules."""
    compiled = hook._compile([lab], lab.parent / "objects", is_checked=is_checked)  # noqa: SLF001
    for each in compiled:
        (lab.parent / each.place).write_bytes(each.file.read_bytes())
    return [each.name for each in compiled]


def run(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    command: Sequence[str] = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own words


def test_typed_python_behaves_as_python(hook: Any, tmp_path: Path) -> None:
    lab = package(tmp_path, thing_py=THING_PY, thing_pxd=THING_PXD, alone_py="VALUE = 1\n", only_pxd="")

    assert compile_beside(hook, lab) == ["lab.thing"], "types alone are no module"
    said = run(
        tmp_path,
        "import inspect, lab.thing as t; assert t.__file__.endswith('.so')\n"
        "print(t.Thing().annotated('text'), list(inspect.signature(t.Thing.call).parameters))\n"
        "t.Thing().call()",
    )

    assert said.stdout == "text ['self']\n", "an annotation is no type of C"
    assert said.returncode == 1, "an attribute of None ends no process"
    assert "AttributeError: 'NoneType' object has no attribute 'small'" in said.stderr
    assert 'File "lab/thing.py", line 10, in lab.thing.Thing.call\n    return self.other.small\n' in said.stderr


@pytest.mark.parametrize(
    ("program", "error"),
    [("third([1])", "IndexError"), ("add(2147483647, 1)", "OverflowError")],
)
def test_the_checked_build_finds_what_the_other_takes_for_granted(
    hook: Any, tmp_path: Path, program: str, error: str
) -> None:
    lab = package(tmp_path, _fast_pyx=UNCHECKED_PYX)

    assert compile_beside(hook, lab, is_checked=True) == ["lab._fast"]
    said = run(tmp_path, f"from lab._fast import *; {program}")

    assert error in said.stderr


def test_a_method_taken_for_a_function_is_refused(hook: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lab = package(tmp_path, thing_py=THING_PY, thing_pxd=THING_PXD, _method_pyx=METHOD_PYX)

    with pytest.raises(Exception, match=r"_method\.c"):
        compile_beside(hook, lab)

    assert "incompatible-pointer-types" in capfd.readouterr().err


def test_machine_code_of_an_earlier_build_is_removed_also_if_its_source_is_gone(hook: Any, tmp_path: Path) -> None:
    lab = package(tmp_path, there_py="", there_pxd="")
    for stale in ("there.cpython-311-x86_64-linux-gnu.so", "gone.cpython-311-x86_64-linux-gnu.so"):
        (lab / stale).touch()

    hook._remove_all(tmp_path, [lab])  # noqa: SLF001

    assert sorted(each.name for each in lab.iterdir()) == ["__init__.py", "there.pxd", "there.py"]


PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "lab"
version = "1"
[tool.hatch.build.targets.wheel]
packages = ["lab"]
[tool.hatch.build.targets.wheel.hooks.custom]
"""


def test_a_wheel_takes_machine_code_of_the_checkout_only_if_asked_to(tmp_path: Path) -> None:
    package(tmp_path, thing_py=THING_PY, thing_pxd=THING_PXD)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    shutil.copy(REPOSITORY / "hatch_build.py", tmp_path)

    def modules(wish: str) -> list[str]:
        build_wheel(tmp_path, tmp_path / wish, COREPOOL_COMPILE=wish)
        with zipfile.ZipFile(next((tmp_path / wish).glob("lab-1-cp*.whl"))) as wheel:
            return [each for each in wheel.namelist() if each.endswith(".so")]

    made_for_it = modules("1")
    assert not (tmp_path / "build").exists()
    assert modules("kept") == made_for_it
    (kept,) = (tmp_path / "build").rglob("thing.*.so")
    kept.write_bytes(b"of the checkout")
    assert modules("kept") == made_for_it == [f"lab/{kept.name}"]
    assert kept.read_bytes() == b"of the checkout"
