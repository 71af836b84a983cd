"""Rules for each example: its configuration is right, its README tells how to begin, the table has it."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest
from example_folders import EXAMPLES, PACKAGES

if TYPE_CHECKING:
    from example_folders import Run

NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))


def test_the_table_has_each_of_them() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)

    assert sorted(rows) == NAMES
    assert sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir() and not path.name.startswith(".")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_its_configuration_has_no_mistake(run: Run, name: str) -> None:
    if name == "django":
        run(name, "-c", "import os; os.makedirs('static', exist_ok=True)")  # `collectstatic` makes it
    done = run(name, "-m", "corepool", "check")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_its_readme_begins_with_three_commands_and_says_what_to_look_at(name: str) -> None:
    readme = (EXAMPLES / name / "README.md").read_text()

    commands = readme.partition("```sh\n")[2].partition("```")[0].splitlines()
    assert len(commands) == 3
    assert any(command.startswith("corepool run") for command in commands)
    assert "## What to look at" in readme


def test_all_of_them_can_run_at_once() -> None:
    configurations = [tomllib.loads((EXAMPLES / name / "corepool.toml").read_text()) for name in NAMES]
    urls = [url for each in configurations for listener in each["listener"] for url in listener["bind"]]

    assert len(urls) == len(set(urls))
    assert all(url.startswith(("tcp://127.0.0.1:", "unix:")) for url in urls)
    assert all(each["control"]["socket"] == "control.sock" for each in configurations)


@pytest.mark.parametrize("name", PACKAGES)
def test_its_plugins_are_listed_with_their_package(run: Run, name: str) -> None:
    project = tomllib.loads((EXAMPLES / name / "pyproject.toml").read_text())["project"]

    listed = run(name, "-m", "corepool", "plugins", "--json").stdout

    assert f'"{project["name"]}"' in listed
