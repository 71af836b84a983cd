"""The units in deploy/: judged by systemd-analyze, and their commands run; no systemd runs them here."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

DEPLOY = Path(__file__).parents[2] / "deploy"

# What systemd 250 and newer have brought (its NEWS): directives of services and sockets, and values.
NEWER_THAN_249 = [
    "ExitType", "RestrictFileSystems", "RestrictNetworkInterfaces", "StateDirectorySymlink", "LoadCredentialEncrypted",
    "OpenFile", "ReloadSignal", "LogFilterPatterns", "MemoryZSwapMax", "CPUPressureWatch", "DelegateSubgroup",
    "RestartSteps", "RestartMaxDelaySec", "RestartMode", "ImportCredential", "FileDescriptorStorePreserve",
    "RootEphemeral", "SurviveFinalKillSignal", "PrivatePIDs", "PassPIDFD", "PollLimitBurst",
    "PollLimitIntervalSec", "PassFileDescriptorsToExec", "notify-reload", "disconnected",
]  # fmt: skip


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)  # noqa: S603


def directives(name: str) -> dict[str, str]:
    """Return the directives of a unit; of one that is given more than once, the last."""
    lines = (
        line.partition("=") for line in (DEPLOY / name).read_text().splitlines() if not line.startswith(("#", "["))
    )
    return {key: value for key, equals, value in lines if equals}


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """Copy the units, with an executable that this machine has."""
    copies = [tmp_path / "corepool.service", tmp_path / "corepool.socket"]
    for copy in copies:
        shutil.copy(DEPLOY / copy.name, copy)
    copies[0].write_text(copies[0].read_text().replace("/opt/corepool/bin/corepool", "/bin/true"))
    return copies


@pytest.fixture
def drop_in(units: list[Path]) -> Path:
    """Copy the drop-in to its place, with a type that this machine's systemd knows."""
    copy = units[0].with_name("corepool.service.d") / "notify-reload.conf"
    copy.parent.mkdir()
    text = (DEPLOY / "notify-reload.conf").read_text()
    version = int(run("systemd-analyze", "--version").stdout.split()[1])
    copy.write_text(text if version >= 253 else text.replace("Type=notify-reload", "Type=notify"))
    return copy


def verify(units: list[Path]) -> subprocess.CompletedProcess[str]:
    return run("systemd-analyze", "verify", "--recursive-errors=no", *map(str, units))


def test_systemd_finds_nothing_wrong_with_the_units(units: list[Path]) -> None:
    done = verify(units)

    assert done.stderr == ""
    assert done.returncode == 0


def test_systemd_would_find_a_mistake(units: list[Path]) -> None:
    units[0].write_text(units[0].read_text().replace("ProtectSystem=strict", "ProtectSystem=very"))

    assert "Failed to parse protect system value" in verify(units).stderr


def test_systemd_finds_nothing_wrong_with_the_drop_in(units: list[Path], drop_in: Path) -> None:
    done = verify(units)

    assert (done.returncode, done.stderr) == (0, "")
    drop_in.write_text(drop_in.read_text().replace("Type=notify", "Type=very"))
    assert "Failed to parse service type" in verify(units).stderr, "it is read"


def test_the_drop_in_takes_the_command_away() -> None:
    assert directives("notify-reload.conf") == {"Type": "notify-reload", "ExecReload": ""}


def test_the_units_have_nothing_that_systemd_249_does_not_know() -> None:
    for name in ("corepool.service", "corepool.socket"):
        found = directives(name)
        assert [word for word in NEWER_THAN_249 if word in found or word in found.values()] == []


def test_systemd_takes_the_service_for_well_hardened(units: list[Path]) -> None:
    """Exposure from 0 to 10: what serves a network without restrictions has 9.6."""
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=30", str(units[0]))

    assert done.returncode == 0, done.stdout


def test_the_service_asks_for_what_the_pool_has() -> None:
    found = directives("corepool.service")

    assert found["Type"] == "notify"
    assert found["ExecStart"].endswith(" run /etc/corepool/corepool.toml --control /run/corepool-service/control.sock")
    assert found["ExecReload"].endswith(" reload --control /run/corepool-service/control.sock")


# --- its commands


def exec_reload(running: PoolProcess) -> subprocess.CompletedProcess[str]:
    program, *arguments = shlex.split(directives("corepool.service")["ExecReload"])
    assert program == "/opt/corepool/bin/corepool"
    places = {"/run/corepool-service/control.sock": str(running.control)}
    return run(sys.executable, "-m", "corepool", *(places.get(each, each) for each in arguments))


def test_its_reload_is_over_when_the_workers_are_replaced(pool: Pools) -> None:
    running = pool('[pool]\nworkers = 2\n[[listener]]\nname = "a"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "echo"\n')
    before = set(running.workers())
    done = exec_reload(running)

    assert done.returncode == 0, done.stderr
    wait_until(lambda: not before & set(running.workers()))  # those that were replaced have ended, too


def test_its_reload_fails_with_a_mistake_in_the_configuration(pool: Pools) -> None:
    running = pool('[[listener]]\nname = "a"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "echo"\n')
    before = running.workers()
    config = running.directory / "corepool.toml"
    config.write_text(config.read_text().replace("echo", "ecko"))
    done = exec_reload(running)

    assert done.returncode == 1
    assert re.search(r"corepool\.toml:\d+: listener\[0\]\.protocol: no protocol named 'ecko'", done.stderr), done.stderr
    assert running.workers() == before
