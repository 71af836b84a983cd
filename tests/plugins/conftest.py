"""A scratch environment with other people's plugins in it, built and installed as they would be."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

collect_ignore = ["distributions"]  # their tests belong to the environment that has them

DISTRIBUTIONS = Path(__file__).parent / "distributions"


@pytest.fixture(scope="session")
def scratch_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the interpreter of an environment that has corepool and every folder in distributions/.

    The packages of the environment that runs the tests are visible in it, so nothing is downloaded;
    what is installed goes into the new one alone.
    """
    folder = tmp_path_factory.mktemp("scratch")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    ours, theirs = sysconfig.get_path("purelib"), _purelib(folder)
    # By addsitedir, not as a plain path: it also follows the .pth files of editable installations.
    (theirs / "surrounding.pth").write_text(f"import site; site.addsitedir({ours!r})\n")

    sources = tmp_path_factory.mktemp("sources")
    for source in DISTRIBUTIONS.iterdir():
        _copy(source, sources / source.name)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    subprocess.run([*pip, "install", *options, *map(str, sources.iterdir())], check=True)  # noqa: S603 - our own words
    return str(python)


def _purelib(environment: Path) -> Path:
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(environment)}))


def _copy(source: Path, target: Path) -> None:
    """Copy a project without what a build may have left beside it."""
    for path in source.rglob("*"):
        if path.is_file() and path.suffix in (".py", ".toml"):
            (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(source)).write_bytes(path.read_bytes())
