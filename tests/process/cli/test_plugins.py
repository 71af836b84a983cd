"""`corepool plugins`: the installed plugins, and those that do not work."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Corepool


def install(folder: Path, name: str, entry_points: str) -> None:
    """Make what an installer leaves: metadata of a distribution, found by way of PYTHONPATH."""
    info = folder / f"{name.replace('-', '_')}-1.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(entry_points)


def test_our_own_plugins_are_listed_with_distribution_and_version(corepool: Corepool) -> None:
    done = corepool("plugins", "--json")

    assert done.returncode == 0
    listed = {(each["kind"], each["name"]): each for each in json.loads(done.stdout)}
    echo = listed["protocols", "echo"]
    assert (echo["distribution"], echo["version"], echo["broken"]) == ("corepool", version("corepool"), None)
    assert {("dispatchers", "least-connections"), ("transports", "tcp"), ("transports", "unix")} <= set(listed)
    assert [each for each in listed.values() if each["broken"]] == []


def test_the_table_has_one_line_a_plugin_when_it_is_piped(corepool: Corepool) -> None:
    lines = corepool("plugins").stdout.splitlines()

    assert ["protocols", "echo", "corepool", version("corepool")] in [line.split() for line in lines]


def test_a_broken_plugin_is_shown_with_its_distribution_and_the_reason(
    corepool: Corepool, tmp_path: Path, environment: dict[str, str]
) -> None:
    install(tmp_path / "site", "corepool-broken", "[corepool.protocols]\nbroken = no_such_module:Broken\n")
    environment["PYTHONPATH"] = str(tmp_path / "site")

    done = corepool("plugins")
    listed = {each["name"]: each for each in json.loads(corepool("plugins", "--json").stdout)}

    assert done.returncode == 1
    row, reason = [line for line in done.stdout.splitlines() if "corepool-broken" in line]
    assert row.split() == ["protocols", "broken", "corepool-broken", "1.5", "broken"]
    assert reason.startswith("broken: protocol 'broken' of distribution 'corepool-broken'")
    assert reason.endswith("No module named 'no_such_module'")
    assert "No module named" in listed["broken"]["broken"]
    assert listed["echo"]["broken"] is None


def test_kinds_that_plugins_have_for_themselves_are_listed(
    corepool: Corepool, tmp_path: Path, environment: dict[str, str]
) -> None:
    install(tmp_path / "site", "kv-bolt", "[corepool.kv_stores]\nbolt = no_such_module:Bolt\n")
    environment["PYTHONPATH"] = str(tmp_path / "site")

    done = corepool("plugins", "--json")

    listed = {(each["kind"], each["name"]): each["broken"] for each in json.loads(done.stdout)}
    assert listed["kv_stores", "lmdb"] is None
    assert "No module named 'no_such_module'" in listed["kv_stores", "bolt"]
    assert (done.returncode, done.stderr) == (1, "")


def test_a_group_that_is_nearly_one_of_ours_is_pointed_out(
    corepool: Corepool, tmp_path: Path, environment: dict[str, str]
) -> None:
    install(tmp_path / "site", "acme", "[corepool.protocol]\nshout = json:JSONDecoder\n")
    environment["PYTHONPATH"] = str(tmp_path / "site")

    done = corepool("plugins")

    assert done.returncode == 0
    assert done.stderr == (
        "corepool: 'shout' of distribution 'acme' is in the group 'corepool.protocol', "
        "which is not corepool's (did you mean 'corepool.protocols'?)\n"
    )


def test_check_names_the_distribution_of_a_broken_plugin(
    corepool: Corepool, tmp_path: Path, environment: dict[str, str]
) -> None:
    install(tmp_path / "site", "corepool-broken", "[corepool.protocols]\nbroken = no_such_module:Broken\n")
    environment["PYTHONPATH"] = str(tmp_path / "site")
    (tmp_path / "corepool.toml").write_text(
        '[[listener]]\nname = "a"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "broken"\n'
    )

    done = corepool("check")

    assert done.returncode == 2
    assert "listener[0].protocol" in done.stderr
    assert "corepool-broken" in done.stderr
