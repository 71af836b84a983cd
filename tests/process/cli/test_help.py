"""The help of `corepool`, and its answers to mistyped commands."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corepool.build import version_line

if TYPE_CHECKING:
    from conftest import Corepool

COMMANDS = {
    "run": ["CONFIG", "--control", "-w, --workers", "-d, --dispatcher", "--log-level", "--reload"],
    "serve": [
        *("PROTOCOL", "TARGET", "-b, --bind", "-w, --workers", "-d, --dispatcher", "-o, --option"),
        *("--control", "--log-level", "corepool serve http myapp:app -b 8000", "--idle-timeout", "--drain-timeout"),
        *(
            "--certfile PEM",
            "--keyfile PEM",
            "--keep-on-crash / --no-keep-on-crash",
            "--extension VALUE",
            "--extension-option NAME.KEY=VALUE",
        ),
    ],
    "init": ["PATH", "corepool.toml"],
    "check": ["CONFIG"],
    "config": ["CONFIG", "--json"],
    "schema": ["JSON Schema"],
    "plugins": ["NAME", "--wide", "--color", "--json"],
    "new": ["NAME", "--kind", "protocol", "dispatcher", "transport", "extension", "scaler"],
    "ps": ["--wide", "--color", "--json"],
    "status": ["CONFIG", "--check", "--wide", "--color", "--json", "--control"],
    "top": ["CONFIG", "--interval", "--wide", "--color", "--control"],
    "reload": ["CONFIG", "--json", "--control"],
    "renew": ["CONFIG", "--json", "--control", "--timeout"],
    "upgrade": ["CONFIG", "--json", "--control"],
    "stop": ["CONFIG", "--now", "--json", "--control"],
    "scale": ["N", "CONFIG", "--pool", "--json", "--control"],
    "drain": ["WORKER", "CONFIG", "--json", "--control"],
    "pause": ["LISTENER", "CONFIG", "--json", "--control"],
    "resume": ["LISTENER", "CONFIG", "--json", "--control"],
    "rebalance": ["CONFIG", "--json", "--control"],
    "log-level": ["LEVEL", "CONFIG", "--json", "--control"],
    "kv": ["dump", "restore", "import"],
}


HEADINGS = [
    "Start a pool:",
    "Write a configuration, or a plugin:",
    "Look at a running pool:",
    "Operate a running pool:",
    "Of plugins:",
]


def test_the_help_lists_every_command_under_a_heading_with_a_line_that_is_not_cut(corepool: Corepool) -> None:
    shown = corepool("--help")

    assert shown.returncode == 0
    lines = [line for line in shown.stdout.partition("--help  ")[2].splitlines()[1:] if line.strip()]
    assert [line for line in lines if not line.startswith(" ")] == HEADINGS
    assert [line.split()[0] for line in lines if line.startswith(" ")] == list(COMMANDS)
    assert "..." not in "".join(lines)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_names_all_that_it_takes(corepool: Corepool, command: str) -> None:
    shown = corepool(command, "-h")

    assert shown.returncode == 0
    assert [words for words in COMMANDS[command] if words not in shown.stdout] == []


def test_the_lines_of_a_plugins_commands_are_not_cut(corepool: Corepool) -> None:
    assert "..." not in corepool("kv", "--help").stdout.partition("Commands:")[2]


def test_the_version_is_that_of_the_installed_package(corepool: Corepool) -> None:
    assert corepool("--version").stdout == f"{version_line(version('corepool'))}\n"


def test_the_installed_script_is_the_same_program(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("corepool")

    shown = subprocess.run([script, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)  # noqa: S603

    assert shown.stdout == f"{version_line(version('corepool'))}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Usage: corepool"),
        (("srve",), "No such command 'srve'"),
        (("run", "--wrokers", "2"), "No such option: --wrokers"),
        (("serve",), "Missing argument"),
        (("serve", "asyncio", "m:a"), "corepool serve asyncio -b 7000"),
        (("serve", "echo", "--threads", "2"), "No such option: --threads"),
        (("myapp:app",), "to serve an application: corepool serve http myapp:app"),
        (("--host", "a", "myapp:app"), "--host is a flag of uvicorn; here: --bind HOST:PORT, after the command"),
        (("serve", "http", "a:b", "--timeout", "3"), "--timeout is a flag of gunicorn; here: --heartbeat-timeout"),
        (("serve", "http", "a:b", "--threads", "2", "-o", "threads=3"), "given by -o as well"),
        (("serve", "http", "a:b", "--extension-option", "x=3"), "'x=3' is not of the form NAME.KEY=VALUE"),
        (("serve", "echo", "-b", "tcp://127.0.0.1:0", "-o", "x"), "'x' is not of the form KEY=VALUE"),
        (("serve", "echo", "app:x", "-b", "tcp://127.0.0.1:0"), "protocol 'echo' takes no TARGET"),
        (("serve", "http", "x:a", "-b", "0", "-o", "target=y"), "given as TARGET as well"),
    ],
)
def test_wrong_usage_is_explained_with_status_2(corepool: Corepool, arguments: tuple[str, ...], words: str) -> None:
    done = corepool(*arguments)

    assert done.returncode == 2
    assert words in done.stdout + done.stderr
