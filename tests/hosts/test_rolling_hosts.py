"""deploy/roll.sh on three hosts under load: new code everywhere, and code that does not start."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from figures import tell
from fleet import NAMES, Fleet
from hosts import why_no_hosts
from sources import source

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(why_no_hosts() is not None, reason=why_no_hosts() or "")

ROLL = Path(__file__).parents[2] / "deploy" / "roll.sh"

ON = """#!/bin/sh
# In the place of ssh: a host's namespace, with the folder and the control socket of its pool.
. "$(dirname "$0")/host-$1"
shift
cd "$FOLDER" && exec $INSIDE sh -c "$*"
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(tmp_path) as made:
        made.serve()
        (tmp_path / "on").write_text(ON)
        (tmp_path / "on").chmod(0o755)
        for name, host in made.hosts.items():
            pool = made.pools[name]
            facts = {"FOLDER": pool.directory, "CONTROL": pool.control, "INSIDE": " ".join(host.inside)}
            lines = [f"export {key}='{value}'\n" for key, value in facts.items()]
            (tmp_path / f"host-{host.address()}").write_text("".join(lines))
        yield made


def roll(fleet: Fleet) -> subprocess.CompletedProcess[str]:
    """Roll every host, as an operator does from another machine."""
    variables = {
        "ROLL_ON": str(fleet.folder / "on"),
        "ROLL_FIRST": "cp new.py shop.py",
        "ROLL_DO": f'{sys.executable} -m corepool upgrade --control "$CONTROL"',
    }
    addresses = [host.address() for host in fleet.hosts.values()]
    return subprocess.run(  # noqa: S603
        [*fleet.outside.inside, str(ROLL), *addresses],
        env={**os.environ, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def bring(fleet: Fleet, name: str, version: str) -> None:
    """Put code to a host, which it does not serve yet."""
    new = source("served/fleet_shop.py").replace(
        "status, content = 200, HOST", f"status, content = 200, HOST + {version!r}"
    )
    (fleet.pools[name].directory / "new.py").write_text(new)


def test_new_code_comes_to_every_host_and_code_that_does_not_start_to_none_behind(fleet: Fleet) -> None:
    addresses = {name: host.address() for name, host in fleet.hosts.items()}
    with fleet.visitors() as visitors:
        visitors.wait_for(200)
        for name in NAMES:
            bring(fleet, name, " 2")
        event = time.monotonic()
        done = roll(fleet)
        assert done.returncode == 0, done.stderr
        for name in NAMES:
            visitors.wait_for(20, lambda request, name=name: request.body == f"{name} 2")  # type: ignore[misc]

        for name in NAMES:
            bring(fleet, name, " 3")
        (fleet.pools["two"].directory / "new.py").write_text("import no_such_module\n")
        done = roll(fleet)
        assert done.returncode == 1
        told = f"roll.sh: {addresses['two']} has failed, and serves what it had; with the new code: {addresses['one']}"
        assert done.stderr.splitlines()[-1] == told
        assert f"roll.sh: {addresses['three']}\n" not in done.stdout
        for body in ("one 3", "two 2", "three 2"):
            visitors.wait_for(20, lambda request, body=body: request.body == body)  # type: ignore[misc]
    tell("`deploy/roll.sh`, and again with code that does not start", visitors.requests, event)
    assert [each for each in visitors.requests if each.failed] == []

    fleet.hosts["three"].end()
    done = roll(fleet)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{addresses['three']} does not serve, nothing was begun" in done.stderr


def test_without_hosts_it_tells_its_usage() -> None:
    done = subprocess.run([str(ROLL)], capture_output=True, text=True, check=False)  # noqa: S603

    assert (done.returncode, done.stderr) == (2, "usage: roll.sh HOST...\n")
