"""Scratch environments with other people's plugins in them, built and installed as they would be."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def make_environment(folder: Path) -> str:
    """Make an environment in `folder`, and give its interpreter.

    The packages of the environment that runs the tests are visible in it, so nothing is downloaded;
    packages are installed into the new one alone.
    """
    venv.create(folder, symlinks=True)
    ours, theirs = sysconfig.get_path("purelib"), sysconfig.get_path("purelib", "venv", {"base": str(folder)})
    # By addsitedir, not as a plain path: it also follows the .pth files of editable installations.
    (Path(theirs) / "surrounding.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    return str(folder / "bin" / "python")


def install(python: str, projects: Iterable[Path]) -> None:
    """Build projects, which may leave files beside them, and install them. Nothing is downloaded."""
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    subprocess.run([*pip, "install", *options, *map(str, projects)], check=True)  # noqa: S603 - our own words
