"""The help of `corepool`, and its answers to mistyped commands."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Corepool

COMMANDS = {
    "run": ["CONFIG", "--control", "-w, --workers", "-d, --dispatcher", "--log-level", "--reload"],
    "serve": [
        *("PROTOCOL", "TARGET", "-b, --bind", "-w, --workers", "-d, --dispatcher", "-o, --option"),
        *("--control", "--log-level", "corepool serve echo -b tcp://127.0.0.1:7007"),
    ],
    "check": ["CONFIG"],
    "config": ["CONFIG", "--json"],
    "init": ["PATH", "corepool.toml"],
    "schema": ["JSON Schema"],
    "new": ["NAME", "--kind", "protocol", "dispatcher", "transport", "extension", "scaler"],
    "plugins": ["--wide", "--color", "--json"],
    "ps": ["--wide", "--color", "--json"],
    "status": ["CONFIG", "--check", "--wide", "--color", "--json", "--control"],
    "top": ["CONFIG", "--interval", "--wide", "--color", "--control"],
    "reload": ["CONFIG", "--json", "--control"],
    "upgrade": ["CONFIG", "--json", "--control"],
    "stop": ["CONFIG", "--now", "--json", "--control"],
    "scale": ["N", "CONFIG", "--pool", "--json", "--control"],
    "drain": ["WORKER", "CONFIG", "--json", "--control"],
    "pause": ["LISTENER", "CONFIG", "--json", "--control"],
    "resume": ["LISTENER", "CONFIG", "--json", "--control"],
    "rebalance": ["CONFIG", "--json", "--control"],
    "log-level": ["LEVEL", "CONFIG", "--json", "--control"],
}


def test_the_help_lists_every_command_with_a_line_that_is_not_cut(corepool: Corepool) -> None:
    shown = corepool("--help")

    assert shown.returncode == 0
    listed = [line.split()[0] for line in shown.stdout.partition("Commands:")[2].splitlines() if line.strip()]
    assert listed == list(COMMANDS)
    assert "..." not in shown.stdout.partition("Commands:")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_names_all_that_it_takes(corepool: Corepool, command: str) -> None:
    shown = corepool(command, "-h")

    assert shown.returncode == 0
    assert [words for words in COMMANDS[command] if words not in shown.stdout] == []


def test_the_version_is_that_of_the_installed_package(corepool: Corepool) -> None:
    assert corepool("--version").stdout == f"corepool {version('corepool')}\n"


def test_the_installed_script_is_the_same_program(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("corepool")

    shown = subprocess.run([script, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)  # noqa: S603

    assert shown.stdout == f"corepool {version('corepool')}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Usage: corepool"),
        (("srve",), "No such command 'srve'"),
        (("run", "--wrokers", "2"), "No such option: --wrokers"),
        (("serve",), "Missing argument"),
        (("serve", "echo"), "corepool serve echo -b tcp://127.0.0.1:7007"),
        (("serve", "echo", "-b", "tcp://127.0.0.1:0", "-o", "x"), "'x' is not of the form KEY=VALUE"),
        (("serve", "echo", "app:x", "-b", "tcp://127.0.0.1:0"), "protocol 'echo' takes no TARGET"),
        (("serve", "kv", "x", "-b", "tcp://127.0.0.1:0", "-o", "target=y"), "given as TARGET as well"),
    ],
)
def test_wrong_usage_is_explained_with_status_2(corepool: Corepool, arguments: tuple[str, ...], words: str) -> None:
    done = corepool(*arguments)

    assert done.returncode == 2
    assert words in done.stdout + done.stderr
