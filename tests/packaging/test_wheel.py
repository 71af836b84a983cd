"""The wheel is complete: types, templates, plugins. A checkout has every file, a wheel may not."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from wheels import pure_wheel

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the wheel where no file of the repository is."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(pure_wheel(tmp_path_factory)) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, cwd: Path, *command: str) -> str:
    """Run `command` of the interpreter with the unpacked wheel before anything else."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_package_tells_that_it_is_typed(installed: Path) -> None:
    packages = {path.parent for path in installed.glob("*/__init__.py")}

    assert len(packages) > 1
    assert [package.name for package in packages if not (package / "py.typed").exists()] == []


def test_a_plugin_can_be_made_with_it(installed: Path, tmp_path: Path) -> None:
    run(installed, tmp_path, "-m", "corepool", "new", "shout")

    assert (tmp_path / "shout" / "shout" / "py.typed").exists()
    assert (tmp_path / "shout" / ".gitignore").exists()  # some tools leave such files out


def test_every_plugin_of_ours_is_in_it(installed: Path, tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from corepool.plugins.registry import KINDS, Registry\n"
        "registry = Registry()\n"
        "for kind in KINDS:\n"
        "    for name in registry.names(kind):\n"
        "        print(sys.modules[registry.load(kind, name).__module__].__file__)\n"
    )

    files = run(installed, tmp_path, "-c", program).splitlines()

    assert files
    assert [file for file in files if not file.startswith(str(installed))] == []
