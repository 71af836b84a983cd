"""Files that are pipes: the shell's `<(command)` is read to its end, and a pipe without a writer holds nothing up."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Corepool

ECHO = '[[listener]]\nprotocol = "echo"\nbind = "tcp://127.0.0.1:0"\n'


def bash(script: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the script is the test's own
        ["/bin/bash", "-c", script.replace("corepool", f"{sys.executable} -m corepool")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_the_output_of_a_command_is_a_configuration(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "echo.toml").write_text(ECHO + "# " + "x" * 200_000)  # more than a pipe holds
    for script in ("corepool check <(sleep 0.3; cat echo.toml)", "cat echo.toml | corepool check /dev/stdin"):
        done = bash(script, tmp_path, environment)
        assert (done.returncode, done.stderr) == (0, ""), script
        assert "no mistakes" in done.stdout


def test_the_output_of_a_command_is_a_file_of_variables(tmp_path: Path, environment: dict[str, str]) -> None:
    done = bash("corepool serve echo -b 8000 --env-file <(echo 'a b c')", tmp_path, environment)
    assert "expected NAME=VALUE" in done.stderr


@pytest.mark.parametrize("arguments", [["check", "pipe"], ["run", "pipe"], ["serve", "echo", "--env-file", "pipe"]])
def test_a_pipe_without_a_writer_is_a_mistake(corepool: Corepool, tmp_path: Path, arguments: list[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = corepool(*arguments)

    assert done.returncode != 0
    assert "can't be read: it is a pipe that no program writes to" in done.stderr


def test_a_pipe_is_read_until_its_last_writer_has_ended(tmp_path: Path, environment: dict[str, str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = os.open(tmp_path / "pipe", os.O_RDWR)  # which doesn't wait for a reader
    os.write(writer, ECHO.encode())
    command = [sys.executable, "-m", "corepool", "check", "pipe"]
    with subprocess.Popen(  # noqa: S603 - the command is the test's own
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as checking:
        wait_until(lambda: fcntl.ioctl(writer, termios.FIONREAD, bytes(4)) == bytes(4))
        os.write(writer, b"idle_timeout = 7\n")
        wait_until(lambda: fcntl.ioctl(writer, termios.FIONREAD, bytes(4)) == bytes(4))
        os.close(writer)
        told, _ = checking.communicate()
    assert (checking.returncode, 'idle_timeout = "7s"' in told) == (0, True)
