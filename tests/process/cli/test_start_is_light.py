"""Modules that a command must not import: each costs time at every start. No timing is asserted."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import corepool


def modules_of(source: str) -> set[str]:
    script = f"import sys\n{source}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603
    return set(done.stdout.split())


HEAVY = {"asyncio", "importlib.metadata", "inspect", "pluggy", "pydantic", "rich", "tomli", "typer", "logging"}


def test_the_package_alone_imports_nearly_nothing() -> None:
    assert modules_of("import corepool") & HEAVY == set()


def test_the_version_is_printed_without_the_command_line() -> None:
    asked = "sys.argv[1:] = ['--version']\nfrom corepool.cli import main\nmain()"

    assert modules_of(asked) & HEAVY == set()
    assert corepool.__version__ == version("corepool")


def test_the_public_names_are_all_there() -> None:
    assert [name for name in corepool.__all__ if not hasattr(corepool, name)] == []
    assert set(corepool.__all__) <= set(dir(corepool))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        corepool.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_the_command_line_imports_the_module_of_the_command_alone() -> None:
    found = modules_of("from corepool.cli.app import make_app\nmake_app()")

    assert found & {"pydantic", "rich.table", "rich.console", "asyncio", "corepool.config.settings"} == set()
    assert {name for name in found if name.startswith("corepool.cli.")} == {
        *("corepool.cli.app", "corepool.cli.commands", "corepool.cli.foreign"),
    }


def test_no_source_is_read_for_the_texts_of_help() -> None:
    found = modules_of(
        "import linecache, corepool.config.settings, corepool_http\n"
        "print('read:', *linecache.cache)\n"
        "from corepool.spec.described import descriptions_of\n"
        "print('texts:', *descriptions_of(corepool.config.settings.PoolSettings))"
    )

    assert not {each for each in found if each.endswith("settings.py")}
    assert "recycle_age" in found, "the texts are there when they are wanted"


def test_a_pool_starts_without_tables_and_without_other_commands() -> None:
    found = modules_of("import corepool.cli.start, corepool.cli.serve, corepool.launch.pool")

    unwanted = {
        "rich.table",
        "rich.live",
        "watchfiles",
        "corepool.cli.status",
        "corepool.cli.top",
        "corepool.cli.check",
    }
    assert found & unwanted == set()
