"""Which of several pools a command reaches: the one that was meant, or none."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest
from operators_day import ECHO, Day

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMANDS = (
    ["status"],
    ["reload"],
    ["renew"],
    ["upgrade"],
    ["stop"],
    ["scale", "2"],
    ["drain", "0"],
    ["pause", "echo"],
    ["resume", "echo"],
    ["rebalance"],
    ["log-level", "debug"],
)


@pytest.fixture
def day() -> Iterator[Day]:
    with Day() as day:
        yield day


def test_a_command_beside_a_configuration_reaches_its_pool_and_no_other(day: Day) -> None:
    shop, cafe = day.folder("shop"), day.folder("cafe")
    process = day.start(shop)
    before = json.loads(day("status", "--json", at=shop).stdout)

    for command in COMMANDS:
        refused = day(*command, at=cafe)
        assert refused.returncode == 1, command
        assert "no pool runs that was started from corepool.toml" in refused.stderr
        assert f"shop  {process.pid}" in refused.stderr
    day.folder("cafe", "[[[")
    assert "not TOML" in day("reload", at=cafe).stderr

    assert process.poll() is None
    after = json.loads(day("status", "--json", at=shop).stdout)
    assert [after[key] for key in ("pid", "generation", "wanted", "name", "configuration")] == [
        *(before[key] for key in ("pid", "generation", "wanted")),
        "shop",
        str(shop / "corepool.toml"),
    ]


def test_the_pool_of_a_file_is_found_while_that_is_broken_or_gone(day: Day) -> None:
    shop = day.folder("shop")
    process = day.start(shop)
    day.folder("shop", "[[[")

    assert "nothing was changed" in day("reload", at=shop).stderr
    (shop / "corepool.toml").unlink()
    stopped = day("stop", str(shop / "corepool.toml"))

    assert stopped.stdout.startswith(f"shop (pid {process.pid}, {shop / 'corepool.toml'}): stopped after ")
    assert process.wait() == 0


def test_the_only_pool_is_found_from_anywhere_and_of_several_none(day: Day) -> None:
    shop, cafe = day.folder("shop"), day.folder("cafe")
    first = day.start(shop)
    assert day("scale", "2").stdout == f"shop (pid {first.pid}, {shop / 'corepool.toml'}): workers: 2\n"
    second = day.start(cafe)

    refused = day("stop")

    assert refused.returncode == 1
    assert refused.stderr.splitlines()[0] == "corepool: several pools run; CONFIG or --control NAME chooses one:"
    assert [line.split() for line in refused.stderr.splitlines()[1:]] == [
        ["NAME", "PID", "CONFIGURATION"],
        ["cafe", str(second.pid), str(cafe / "corepool.toml")],
        ["shop", str(first.pid), str(shop / "corepool.toml")],
    ]
    misspelt = day("stop", "--control", "shpo").stderr
    assert misspelt.startswith("corepool: no pool has the name 'shpo', and no socket this path; running:\n")
    assert f"shop  {first.pid}" in misspelt
    assert day("stop", "--control", "shop").returncode == 0
    assert first.wait() == 0
    assert day("stop", str(day.runtime / "cafe.sock")).returncode == 2, "a socket is no configuration"
    assert day("stop", "--control", str(day.runtime / "cafe.sock"), str(shop / "corepool.toml")).returncode == 1
    assert second.poll() is None
    assert day("stop", "--control", str(day.runtime / "cafe.sock"), str(cafe / "corepool.toml")).returncode == 0
    assert second.wait() == 0


def test_where_none_runs_it_says_where_it_has_looked(day: Day) -> None:
    assert day("stop").stderr == (
        f"corepool: no pool runs: {day.runtime} has none (--control PATH chooses another place)\n"
    )
    assert day("ps").stdout == "no pool runs\n"
    assert day.listed() == []


def test_a_configuration_never_reaches_the_pool_of_another_one_at_its_socket(day: Day) -> None:
    both = f'[control]\nsocket = "{day.root}/one.sock"\n{ECHO}'
    shop, cafe = day.folder("shop", both), day.folder("cafe", both)
    process = day.start(shop)

    refused = day("reload", at=cafe)

    assert refused.returncode == 1
    assert refused.stderr == (
        f"corepool: the pool at {day.root}/one.sock was not started from corepool.toml: "
        f"it is shop (pid {process.pid}, {shop / 'corepool.toml'})\n"
    )
    assert day("reload", at=shop).returncode == 0


def test_pools_of_one_name_have_two_and_each_is_reached(day: Day) -> None:
    one, two = day.folder("a/shop"), day.folder("b/shop")
    first = day.start(one)
    second = day.start(two)
    third = day.start(two)

    pools = {pool["pid"]: pool["name"] for pool in day.listed()}

    assert pools[first.pid] == "shop"
    assert pools[second.pid].startswith("shop-")
    assert len(set(pools.values())) == 3
    assert f"pool_renamed name={pools[second.pid]} wanted=shop" in day.log(second)
    assert "several pools run that were started from corepool.toml" in day("stop", at=two).stderr
    assert day("stop", "--control", pools[third.pid], at=two).returncode == 0
    assert third.wait() == 0
    assert ": reloaded: every worker is of generation 1" in day("reload", at=two).stdout
    assert day("stop", at=two).returncode == 0
    assert second.wait() == 0
    assert (first.poll(), day.names()) == (None, ["shop"])


def test_a_pool_that_was_killed_leaves_its_name_to_the_next(day: Day) -> None:
    shop = day.folder("shop")
    killed = day.start(shop)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert (day.runtime / "shop.sock").exists()
    day.start(shop)
    assert day.names() == ["shop"]
    linked = day.start(day.folder("cafe"), "run", "--control", str(day.root / "c.sock"))
    assert day.names() == ["cafe", "shop"]
    linked.send_signal(signal.SIGKILL)
    linked.wait()
    assert day.names() == ["shop"]
    assert not os.path.lexists(day.runtime / "cafe.sock"), "it is removed by any command that looks"


def test_names_last_over_reloads_and_upgrades_until_the_pool_is_restarted(day: Day) -> None:
    shop = day.folder("shop")
    process = day.start(shop)
    day.folder("shop", ECHO.replace("workers", 'name = "corner"\nworkers'))

    assert day("reload", at=shop).stdout.startswith("shop (pid ")
    assert "name_needs_restart name=shop configured=corner" in day.log(process)
    upgraded = day("upgrade", at=shop)
    [pool] = day.listed()

    assert upgraded.stdout.startswith(f"shop (pid {pool['pid']}, ")
    assert pool["pid"] != process.pid
    assert process.wait() == 0
    assert (pool["name"], pool["control"]) == ("shop", str(day.runtime / "shop.sock"))
    assert day("stop", at=shop).returncode == 0
    wait_until(lambda: not any(day.runtime.iterdir()), what="no file is left")
    day.start(shop)
    assert day.names() == ["corner"]


def test_a_pool_with_a_socket_elsewhere_is_listed_and_reached_over_upgrades(day: Day) -> None:
    shop = day.folder("shop")
    process = day.start(shop, "run", "--control", "here.sock")
    link = day.runtime / "shop.sock"
    assert link.readlink() == shop / "here.sock"

    assert day("upgrade").returncode == 0
    assert process.wait() == 0

    assert link.readlink() == shop / "here.sock"
    assert day("reload", at=shop).returncode == 0
    assert day("stop", "--control", "here.sock", at=shop).returncode == 0
    wait_until(lambda: not any(day.runtime.iterdir()), what="no link is left")


def test_a_path_over_a_link_to_the_current_release_stays_the_same_pool(day: Day) -> None:
    day.folder("releases/5")
    new = day.folder("releases/6")
    current = day.root / "current"
    current.symlink_to("releases/5")
    day.start(day.root, "run", "current/corepool.toml")
    current.unlink()
    current.symlink_to("releases/6")

    assert day("reload", "current/corepool.toml").returncode == 0
    assert day("reload", at=new).returncode == 0, "it is what the pool reads now"
    assert day("reload", at=day.root / "releases/5").returncode == 1


def test_a_pool_of_serve_is_called_after_its_protocol_and_address(day: Day) -> None:
    shop = day.folder("shop")
    process = day.start(shop, "serve", "echo", "-w", "1", "-b", f"unix://{day.root}/x.sock")
    [pool] = day.listed()

    assert pool["name"].startswith("echo-")
    assert pool["name"].endswith("-x.sock")
    assert (pool["configuration"], pool["listeners"]) == (
        None,
        [{"name": "echo", "bind": [f"unix://{day.root}/x.sock"]}],
    )
    assert day("stop", at=shop).returncode == 1, "it was not started from the file here"
    assert day("stop").stdout.startswith(f"{pool['name']} (pid {process.pid}, no configuration): stopped after ")


def test_a_pool_that_does_not_answer_is_listed_as_such_and_not_mistaken_for_none(day: Day) -> None:
    shop = day.folder("shop")
    process = day.start(shop)
    process.send_signal(signal.SIGSTOP)
    try:
        [pool] = day.listed()
        refused = day("stop")
    finally:
        process.send_signal(signal.SIGCONT)

    assert (pool["name"], pool["pid"], pool["state"]) == ("shop", process.pid, "no answer")
    assert refused.returncode == 1
    assert refused.stderr == f"corepool: no answer from the pool shop (pid {process.pid}): it is stopped or stuck\n"


def test_every_answer_names_the_pool_in_json_as_well(day: Day) -> None:
    shop = day.folder("shop")
    process = day.start(shop)
    about = {
        "name": "shop",
        "pid": process.pid,
        "configuration": str(shop / "corepool.toml"),
        "control": str(day.runtime / "shop.sock"),
    }
    status = json.loads(day("status", "--json", at=shop).stdout)
    assert {key: status[key] for key in ("name", "pid", "configuration")} | {"control": about["control"]} == about
    commands = [command for command in COMMANDS if command[0] not in ("status", "upgrade", "stop")]
    for command in [*commands, ["stop"]]:
        done = day(*command, "--json", at=shop)
        assert (done.returncode, json.loads(done.stdout)["pool"]) == (0, about), command
    assert process.wait() == 0
