"""The wheel is compiled where a compiler is at hand, and works without."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from wheels import compiled_wheel

import corepool

REPOSITORY = Path(corepool.__file__).parents[1]

pytestmark = pytest.mark.timeout(1800)  # a compiler runs, beside other tests

SERVE = """
from corepool.build import version_line
from corepool_http.http1.heads import HeadReader
from corepool_http.options import HttpOptions

request = HeadReader(HttpOptions(target="a:b")).read(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n", 0)
print(version_line("0"), request.section.headers, HeadReader.__module__)
"""
HEAD = "[(b'host', b'a')]"


def build(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Build a wheel, and look that no temporary file is left."""
    temporary = folder / "temporary"
    temporary.mkdir()
    environment["TMPDIR"] = str(temporary)
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=REPOSITORY,
        env={name: value for name, value in os.environ.items() if name != "COREPOOL_COMPILE"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not list(temporary.glob("corepool-*"))
    return done


def serve(wheel: Path, folder: Path) -> str:
    """Return the words of a program that uses the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    environment = os.environ | {"PYTHONPATH": str(folder / "site")}
    command = [sys.executable, "-c", SERVE]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout


def test_it_is_compiled(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    typed = {each.with_suffix("") for each in sources("*.pxd") if (REPOSITORY / each).with_suffix(".py").exists()}
    expected = {str(each) for each in typed | {each.with_suffix("") for each in sources("_*.pyx")}}

    wheel = compiled_wheel(tmp_path_factory)
    said = serve(wheel, tmp_path)
    files = {str(each.relative_to(tmp_path / "site")) for each in (tmp_path / "site").rglob("*") if each.is_file()}
    modules = {re.sub(r"\.cpython-[^/]*\.so$", "", each) for each in files if each.endswith(".so")}

    assert re.fullmatch(r"corepool-[^-]+-cp3\d+-cp3\d+-linux_\w+\.whl", wheel.name)
    assert said == f"corepool 0 (compiled) {HEAD} corepool_http.http1._heads\n"
    assert modules == {re.sub(r"^(plugins|transports)/", "", each) for each in expected}
    mark = (tmp_path / "site/corepool/compiled.txt").read_text()
    assert sorted(mark.split()) == sorted(each.replace("/", ".") for each in modules)
    assert all(f"{each}.py" in files or f"{each}.pyx" in files for each in modules)
    assert "corepool/spec/connection_base.pxd" in files, "a plugin may cimport it"


def sources(pattern: str) -> list[Path]:
    return [
        each.relative_to(REPOSITORY)
        for top in ("corepool", "plugins", "transports")
        for each in (REPOSITORY / top).rglob(pattern)
    ]


@pytest.mark.parametrize(
    "environment", [{"COREPOOL_COMPILE": "0"}, {"CC": "/nonexistent/cc"}], ids=["asked", "no compiler"]
)
def test_it_is_pure(tmp_path: Path, environment: dict[str, str]) -> None:
    done = build(tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    said = serve(wheel, tmp_path)

    assert ("/nonexistent/cc" in done.stdout + done.stderr) == ("CC" in environment)
    assert re.fullmatch(r"corepool-[^-]+-py3-none-any\.whl", wheel.name)
    assert said == f"corepool 0 (pure Python) {HEAD} corepool_http.http1.heads\n"
    assert not list((tmp_path / "site").rglob("*.so")), "the machine code of this checkout is no part of it"


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"COREPOOL_COMPILE": "1", "CC": "/nonexistent/cc"}, "/nonexistent/cc"),
        ({"COREPOOL_COMPILE": "yes"}, "COREPOOL_COMPILE is 'yes': expected 0, 1, checked, kept, or nothing"),
    ],
)
def test_a_wish_that_cannot_be_met_is_an_error(tmp_path: Path, environment: dict[str, str], reason: str) -> None:
    done = build(tmp_path, **environment)

    assert done.returncode != 0
    assert reason in done.stdout + done.stderr
    assert not list(tmp_path.glob("*.whl"))
