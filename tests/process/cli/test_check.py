"""`corepool check`: all mistakes at once; or the whole configuration, with all defaults."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tomli
from settings_of import load_settings

if TYPE_CHECKING:
    from conftest import Corepool

EVERYTHING_WRONG = """
[pool]
wrokers = 4
max_connections = "many"
dispatcher = "round-robbin"

[[listener]]
name = "a"
bind = ["tpc://127.0.0.1:1", "127.0.0.1", "tcp://127.0.0.1"]
protocol = "ecko"
idle_timeout = "soon"

[[listener]]
name = "a"
bind = ["unix:///tmp/x?mood=0600"]
protocol = "echo"
options = { loud = true }
extensions = ["nothing"]
"""


def mistakes(stderr: str) -> list[str]:
    """Return the lines below the heading, which must count them, without their places."""
    heading, *lines = stderr.splitlines()
    assert heading == f"corepool: {len(lines)} mistakes in corepool.toml:"
    numbers = [int(line.split(":")[1]) for line in lines if line.startswith("corepool.toml:")]
    assert len(numbers) == len(lines)
    assert numbers == sorted(numbers)
    return [line.split(": ", 1)[1] for line in lines]


def test_a_limit_below_its_own_high_water_mark_is_refused(corepool: Corepool, tmp_path: Path) -> None:
    (tmp_path / "corepool.toml").write_text(
        '[[listener]]\nname = "a"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "echo"\noutput_limit = 100_000\n'
    )

    done = corepool("check")

    assert done.returncode == 2
    assert "listener[0].output_limit = 100000: less than output_high_water (262144)" in done.stderr


@pytest.mark.parametrize("port", ["http", "65536", "-1"])
def test_a_port_that_is_none_is_told_in_words(corepool: Corepool, port: str) -> None:
    done = corepool("serve", "echo", "-b", f"tcp://127.0.0.1:{port}")

    assert done.returncode == 2
    assert "the port is not a number from 0 to 65535" in done.stderr


@pytest.mark.parametrize("command", ["schema", "plugins"])
def test_a_full_disk_is_one_line(environment: dict[str, str], tmp_path: Path, command: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(  # noqa: S603 - the test's own command
            [sys.executable, "-m", "corepool", command],
            cwd=tmp_path,
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr == "corepool: the output can't be written: No space left on device\n"


@pytest.mark.parametrize("command", ["check", "run"])
def test_every_mistake_is_reported_at_once_with_its_key_and_a_suggestion(
    corepool: Corepool, tmp_path: Path, command: str
) -> None:
    (tmp_path / "corepool.toml").write_text(EVERYTHING_WRONG)

    done = corepool(command)

    assert done.returncode == 2
    assert done.stdout == ""
    found = mistakes(done.stderr)
    expected = {
        "pool.wrokers": "(did you mean 'workers'?)",
        'pool.max_connections = "many"': "expected a whole number",
        "pool.dispatcher": "(did you mean 'round-robin'?)",
        "listener[0].bind[0]": "(did you mean 'tcp'?)",
        "listener[0].bind[1]": "not a URL",
        "listener[0].bind[2]": "port",
        "listener[0].protocol": "(did you mean 'echo'?)",
        'listener[0].idle_timeout = "soon"': "expected a duration such as",
        "listener[0].name": "another listener has this name",
        "listener[1].name": "another listener has this name",
        "listener[1].bind[0]": "mood",
        "listener[1].options": "takes no options",
        "listener[1].extensions[0]": "nothing",
    }
    missed = {
        place: words
        for place, words in expected.items()
        if not any(line.startswith(place) and words in line for line in found)
    }
    assert missed == {}, done.stderr
    assert len(found) == len(expected), done.stderr


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "  can't be read: No such file or directory"),
        (b"[pool\n", "mine.toml:1: not TOML: Expected ']' at the end of a table declaration (at line 1, column 6)"),
        (b"\xff", "mine.toml:1: not UTF-8 text: line 1 has the byte 0xff"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    corepool: Corepool, tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / "mine.toml").write_bytes(content)

    done = corepool("check", "mine.toml")

    assert done.returncode == 2
    assert done.stderr == f"corepool: 1 mistake in mine.toml:\n{sentence}\n"


def test_a_right_configuration_is_printed_so_that_it_reads_back_the_same(corepool: Corepool, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text("""
[pool]
workers = 3
drain_timeout = "1500ms"
[control]
socket = "/x/y \\" \\u007f z"
[[listener]]
name = "a"
bind = ["tcp://127.0.0.1:0", "unix:@corepool-check"]
protocol = "echo"
""")

    done = corepool("check", "mine.toml")

    assert (done.returncode, done.stderr) == (0, "")
    assert 'heartbeat_timeout = "30s"' in done.stdout, "defaults are filled in"
    resolved = tmp_path / "resolved.toml"
    resolved.write_text(done.stdout)
    assert load_settings(resolved) == load_settings(mine)


def test_what_depends_on_the_machine_is_resolved(
    corepool: Corepool, tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "corepool.toml").write_text(
        '[[listener]]\nname = "a"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "echo"\n'
    )

    done = corepool("check", environment=environment | {"XDG_RUNTIME_DIR": "/run/user/7"})

    assert done.returncode == 0, done.stderr
    assert tomli.loads(done.stdout)["control"] == {"socket": f"/run/user/7/corepool/{tmp_path.name}.sock"}
    assert 'workers = "auto"  # ' in done.stdout


def test_options_of_plugins_are_written_as_those_of_listeners(corepool: Corepool, tmp_path: Path) -> None:
    """From the file and from the command line; they are shown as they were meant."""
    options = 'root = ".", keep_alive = "2m", header_timeout = 5, max_body = "2GiB", max_head = "64KiB"'
    toml = '[[listener]]\nname = "a"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "http"\noptions = { %s }\n'
    (tmp_path / "corepool.toml").write_text(toml % options)
    checked = corepool("check")
    assert checked.returncode == 0, checked.stderr

    (tmp_path / "corepool.toml").write_text(toml % 'root = ".", keep_alive = "soon", max_body = "1GB", max_message = 0')
    mistakes = corepool("check")
    assert mistakes.returncode == 2
    for words in (
        'options.keep_alive = "soon": expected a duration such as "250ms", "30s" or "5m", or a number of seconds',
        'options.max_body = "1GB": expected a size such as "512MiB" or "2GiB", or a number of bytes',
        "options.max_message = 0: expected at least 1",
    ):
        assert words in mistakes.stderr, mistakes.stderr


def test_names_that_the_system_can_not_take_are_found(corepool: Corepool, tmp_path: Path) -> None:
    path = f"/run/{'ü' * 50}xx"  # 57 characters, 107 bytes
    (tmp_path / "corepool.toml").write_text(
        f'[control]\nsocket = "{path}"\n[[listener]]\nname = "a"\nprotocol = "echo"\n'
        f'bind = ["tcp://{"a" * 70}.example:80", "tcp://a..b:80"]\n'
    )

    done = corepool("check")

    assert done.returncode == 2
    assert "control.socket: the path has 107 bytes; expected at most 106" in done.stderr
    assert done.stderr.count("can't be a name: encoding with 'idna' codec failed") == 2
