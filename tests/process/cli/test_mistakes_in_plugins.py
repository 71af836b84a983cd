"""Mistakes in the code of a plugin are told with their place, and with a traceback that begins in that code."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from sources import source

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

BIND = ("-b", "tcp://127.0.0.1:0", "-w", "1")
SOURCE = source("plugins/badprotos.py")
METADATA = "Metadata-Version: 2.1\nName: badprotos\nVersion: 1.0\n"


def files(source: str, **classes: str) -> dict[str, str]:
    """Return the files of an installed distribution, for a folder in PYTHONPATH."""
    entries = "".join(f"{name} = {target}\n" for name, target in classes.items())
    return {
        "site/badprotos.py": source,
        "site/badprotos-1.0.dist-info/METADATA": METADATA,
        "site/badprotos-1.0.dist-info/entry_points.txt": f"[corepool.protocols]\n{entries}",
    }


def refused(pool: Pools, source: str, name: str, target: str, *more: str) -> PoolProcess:
    running = pool.serve(
        name,
        *BIND,
        *more,
        files=files(source, **{name: target}),
        environment={"PYTHONPATH": "site"},
        wait=False,
        exit_status=2,
        traceback=True,
    )
    assert running.wait() == 2
    return running


def test_a_constructor_that_raises_is_told_with_its_place_and_traceback(pool: Pools) -> None:
    said = refused(pool, SOURCE, "raises", "badprotos:Raises").stderr.splitlines()

    assert said[0] == "corepool: 1 mistake in the command line:"
    assert said[1] == ("  PROTOCOL: 'raises' can't be made: RuntimeError: boom in init (badprotos.py:17, in prepare)")
    assert said[2] == "Traceback (most recent call last):"
    assert 'badprotos.py", line 14, in __init__' in said[3]
    assert said[-1] == "RuntimeError: boom in init"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import a_module_that_nobody_has\n", "No module named 'a_module_that_nobody_has' (badprotos.py:1)"),
        ("\n1 // 0\n", "ZeroDivisionError: integer division or modulo by zero (badprotos.py:2)"),
        ("class C(:\n", "(badprotos.py:1)"),
    ],
)
def test_an_import_that_fails_is_told_with_its_place_and_traceback(pool: Pools, source: str, reason: str) -> None:
    said = refused(pool, source, "broken", "badprotos:Broken").stderr

    heading, mistake, *rest = said.splitlines()
    assert heading == "corepool: 1 mistake in the command line:"
    assert "protocol 'broken' of distribution 'badprotos' (entry point badprotos:Broken) can't be imported" in mistake
    assert mistake.endswith(reason)
    places = [line for line in rest if line.startswith("  File ")]
    assert [line for line in places if "badprotos.py" not in line] == []
    assert len(places) == 1


@pytest.mark.parametrize("name", ["OptsNoInit", "InitWithoutOptions", "ForgetsInherited"])
def test_a_constructor_that_takes_something_else_is_told_the_rule(pool: Pools, name: str) -> None:
    said = refused(pool, SOURCE, "wrong", f"badprotos:{name}").stderr.splitlines()

    assert said[1].startswith(f"  PROTOCOL: badprotos.{name} can't be made: ")
    assert "is made with them: `def __init__(self, options)`; a class without, with nothing" in said[1]
    assert len(said) == 2


def test_a_class_that_is_abstract_is_told_in_one_line(pool: Pools) -> None:
    said = refused(pool, SOURCE, "wrong", "badprotos:Abstract").stderr.splitlines()

    assert len(said) == 2
    assert "Can't instantiate abstract class Abstract" in said[1]


def test_an_entry_point_of_nothing_has_no_traceback(pool: Pools) -> None:
    for target in ("badprotos:Absent", "no_such_module:Absent"):
        said = refused(pool, SOURCE, "absent", target).stderr
        assert "can't be imported: " in said
        assert "Traceback" not in said


def test_what_a_plugin_says_of_a_users_mistake_is_told_as_it_is(pool: Pools) -> None:
    said = refused(pool, SOURCE, "refuses", "badprotos:Refuses").stderr

    assert said.splitlines()[1:] == ["  PROTOCOL: the file is missing: /nowhere/at/all"]


def test_a_hook_that_is_wrong_is_the_protocols_mistake_on_the_command_line(pool: Pools) -> None:
    said = refused(pool, SOURCE.replace("(self, conn)", "(self, connection)"), "odd", "badprotos:Base").stderr

    assert said.splitlines()[1].startswith("  PROTOCOL: badprotos.Base.on_readable takes 'connection'")
    assert "listener[0]" not in said


def test_a_reload_logs_the_traceback_of_a_plugin(pool: Pools) -> None:
    source = SOURCE.replace("self.prepare()\n", 'if __import__("os").path.exists("broken"): self.prepare()\n')
    running = pool.serve(
        "raises",
        *BIND,
        files=files(source, raises="badprotos:Raises"),
        environment={"PYTHONPATH": "site"},
        traceback=True,
    )
    (running.directory / "broken").touch()
    running.send_signal(signal.SIGHUP)

    running.wait_logged("boom in init (badprotos.py:17, in prepare)", 'badprotos.py", line 14, in __init__')
