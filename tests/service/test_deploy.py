"""What stands in deploy/ is what it says it is, as far as this can be told without systemd and Docker."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from corepool.testing.pool import PoolProcess

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for name in ("corepool.service", "corepool.socket"):
        shutil.copy(DEPLOY / name, tmp_path)
    units = [str(tmp_path / name) for name in ("corepool.socket", "corepool.service")]
    command = ["systemd-analyze", "verify", "--man=no", *units]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    complaints = [line for line in done.stderr.splitlines() if "corepool" in line]
    # notify-reload came with systemd 253.
    assert [line for line in complaints if "notify-reload" not in line] == []


@pytest.mark.parametrize("name", ["CMD", "HEALTHCHECK"])
def test_commands_of_the_image_are_commands_of_ours(name: str) -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    words = re.search(rf"^{name}.*?(\[.*\])$", text, re.MULTILINE)
    assert words is not None
    arguments = [word for word in shlex.split(words[1].strip("[]").replace(",", " ")) if word != "corepool"]
    command = [sys.executable, "-m", "corepool", arguments[0], "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    for option in [word for word in arguments if word.startswith("-")]:
        assert option in shown


def test_as_process_1_of_a_read_only_container() -> None:
    """As the image would: process 1, and a file system that can't be written but for one folder."""
    script = """
        mount --make-rprivate / && mount --bind "$PWD" "$PWD" && mount -o remount,bind,ro / && cd "$PWD" || exit 1
        if touch /written 2>/dev/null; then echo "the file system is not read-only" >&2; exit 1; fi
        exec "$@"
    """
    wrapper = ("unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, "sh")
    toml = '[[listener]]\nname = "echo"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "echo"\n'
    with PoolProcess.run(toml, wrapper=wrapper) as running:
        assert running.status()["pid"] == 1
        check = [sys.executable, "-m", "corepool", "status", "--check", "--control", str(running.control)]
        done = subprocess.run(check, capture_output=True, text=True, check=False)  # noqa: S603
        assert done.returncode == 0, done.stderr
        assert "workers are ready" in done.stdout
        assert "process 1 can't leave" in str(running.request("upgrade")["error"])
        running.request("stop")
        assert running.wait() == 0
