"""What holds for each example: its configuration is right, its README tells how to begin, the table has it."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from example_folders import EXAMPLES, PACKAGES

if TYPE_CHECKING:
    from example_folders import Run

NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))


def test_the_table_has_each_of_them() -> None:
    table = (EXAMPLES / "README.md").read_text()

    assert [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")] == [
        *("chat", "syslog", "django", "rate-limit", "dispatcher")
    ]
    assert sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()) == NAMES
    assert all(f"| `{name}` |" in table for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_its_configuration_has_no_mistake(run: Run, name: str) -> None:
    done = run(name, "-m", "corepool", "check")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_its_readme_begins_with_three_commands_and_says_what_to_look_at(name: str) -> None:
    readme = (EXAMPLES / name / "README.md").read_text()

    commands = readme.partition("```sh\n")[2].partition("```")[0].splitlines()
    assert len(commands) == 3
    assert any(command.startswith("corepool run") for command in commands)
    assert "## What to look at" in readme


def test_their_ports_and_sockets_differ_so_that_all_can_run_at_once() -> None:
    urls = [
        url
        for name in NAMES
        for listener in tomllib.loads((EXAMPLES / name / "corepool.toml").read_text())["listener"]
        for url in listener["bind"]
    ]

    assert len(urls) == len(set(urls))
    assert all(url.startswith(("tcp://127.0.0.1:", "unix:")) for url in urls)


@pytest.mark.parametrize("name", PACKAGES)
def test_its_plugins_are_listed_with_their_package(run: Run, name: str) -> None:
    project = tomllib.loads((EXAMPLES / name / "pyproject.toml").read_text())["project"]

    listed = run(name, "-m", "corepool", "plugins", "--json").stdout

    assert f'"{project["name"]}"' in listed
