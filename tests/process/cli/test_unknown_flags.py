"""A flag that `serve` doesn't know, or an address that is none: the answer is the reason, and what to type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sources import metadata

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Corepool

BROKEN = "protocol 'broken' of distribution 'broken' (entry point lab:Broken) can't be imported: "


@pytest.fixture
def with_broken_plugin(tmp_path: Path, environment: dict[str, str]) -> dict[str, str]:
    """Return an environment in which a protocol is installed that can't be imported."""
    files = {
        "lab.py": "import nothing_like_this\n",
        **metadata("broken", "[corepool.protocols]\nbroken = lab:Broken\n"),
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    return environment | {"PYTHONPATH": f"{tmp_path}:{environment.get('PYTHONPATH', '')}"}


@pytest.mark.parametrize(
    "more", [["--help"], ["-h"], ["--threads", "4"], ["-b", "8000", "--root=x"], ["--threads", "4", "--help"]]
)
def test_a_protocol_that_can_not_be_imported_says_why_instead_of_its_options(
    corepool: Corepool, with_broken_plugin: dict[str, str], more: list[str]
) -> None:
    done = corepool("serve", "broken", *more, environment=with_broken_plugin)

    assert done.returncode == 2
    assert f"Error: {BROKEN}ModuleNotFoundError: No module named 'nothing_like_this' (lab.py:1)" in done.stderr


def test_the_help_of_others_is_as_ever(corepool: Corepool, with_broken_plugin: dict[str, str]) -> None:
    for arguments in (["serve", "--help"], ["serve", "echo", "--help"]):
        done = corepool(*arguments, environment=with_broken_plugin)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            "--threads 4",
            "(http, socketserver), and PROTOCOL is missing: corepool serve http --threads 4",
        ),
        ("--no-deflate app:app", "PROTOCOL is missing: corepool serve http --no-deflate app:app"),
        ("nosuch --threads 4", "no protocol named 'nosuch'; installed: admin, asyncio, echo, haproxy-agent, http"),
        ("htp --help", "no protocol named 'htp' (did you mean 'http'?)"),
        ("http --thread 4", "No such option: --thread"),
        ("--nonsense", "No such option: --nonsense"),
        ("--workers 2", "Missing argument 'PROTOCOL'"),
    ],
)
def test_an_unknown_flag_is_answered_with_the_protocol_that_it_belongs_to(
    corepool: Corepool, arguments: str, sentence: str
) -> None:
    done = corepool("serve", *arguments.split())

    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())


@pytest.mark.parametrize("address", ["host:8000/x", "[::1]:8000/x", ":8000/x", "127.0.0.1:8000/x"])
def test_a_path_behind_a_port_is_named(corepool: Corepool, address: str) -> None:
    done = corepool("serve", "echo", "-b", address)

    right = address.removesuffix("/x")
    assert done.returncode in {2, 3}
    assert f"--bind = \"{address}\": an address ends with its port; without '/x': {right}" in done.stderr


def test_a_mistake_in_target_and_root_together_names_the_argument(corepool: Corepool) -> None:
    missing = corepool("serve", "http")
    both = corepool("serve", "http", "app:app", "--root", ".")

    assert "TARGET: either `target` (an application) or `root`" in missing.stderr
    assert "TARGET: `target` and `root` exclude each other" in both.stderr
