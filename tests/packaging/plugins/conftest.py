"""A scratch environment with other people's plugins in it, built and installed as they would be."""

from __future__ import annotations

from pathlib import Path

import pytest
from scratch import install, make_environment

collect_ignore = ["distributions"]  # their tests belong to the environment that has them

DISTRIBUTIONS = Path(__file__).parent / "distributions"


@pytest.fixture(scope="session")
def scratch_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the interpreter of an environment that has corepool and every folder in distributions/."""
    python = make_environment(tmp_path_factory.mktemp("scratch"))
    sources = tmp_path_factory.mktemp("sources")
    for source in DISTRIBUTIONS.iterdir():
        _copy(source, sources / source.name)
    install(python, sources.iterdir())
    return python


def _copy(source: Path, target: Path) -> None:
    """Copy a project without what a build may have left beside it."""
    for path in source.rglob("*"):
        if path.is_file() and path.suffix in (".py", ".toml"):
            (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(source)).write_bytes(path.read_bytes())
