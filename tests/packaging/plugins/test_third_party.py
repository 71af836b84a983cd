"""A stranger's plugins are used by name, and a broken one says whose it is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corepool.testing.sockets import receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

PLUGINS_TOML = """
[pool]
workers = 3
dispatcher = "highest-slot"

[[listener]]
name = "loud"
bind = ["tcp://127.0.0.1:0"]
protocol = "shout"
extensions = ["greeting"]
[listener.options]
ending = "!"
[listener.extension_options.greeting]
text = "welcome"
"""
BIND = ("-b", "tcp://127.0.0.1:0")


def test_protocol_of_another_distribution_is_served_by_name(pool: Pools, scratch_python: str) -> None:
    running = pool.serve("shout", *BIND, "-w", "1", "-o", "ending=!", python=scratch_python)

    with running.connect() as client:
        client.sendall(b"hello\n")
        assert receive_exactly(client, 7) == b"HELLO!\n"


def test_what_a_plugin_tells_to_try_may_have_braces_in_it(pool: Pools, scratch_python: str) -> None:
    running = pool.serve("shout", *BIND, "-w", "1", python=scratch_python)

    port = running.urls()[0].rpartition(":")[2]
    wait_until(lambda: f"""try: echo '{{"hello": 1}}' | nc 127.0.0.1 {port}\n""" in running.stdout)


def test_dispatcher_and_extension_of_another_distribution_are_used_by_name(pool: Pools, scratch_python: str) -> None:
    running = pool(PLUGINS_TOML, python=scratch_python)

    for _ in range(6):
        with running.connect() as client:
            client.sendall(b"hello\n")
            assert receive_exactly(client, 15) == b"welcome\nHELLO!\n"

    accepted = {worker["slot"]: worker["accepted"] for worker in running.status()["workers"]}
    assert accepted == {0: 0, 1: 0, 2: 6}


def test_plugins_command_lists_them_with_their_distribution(scratch_python: str) -> None:
    command = [scratch_python, "-m", "corepool", "plugins", "--json"]
    done = subprocess.run(command, check=False, capture_output=True)  # noqa: S603
    assert done.returncode == 1, "some of them are broken"
    listed = json.loads(done.stdout)

    ours = {(plugin["kind"], plugin["name"], plugin["distribution"], plugin["version"]) for plugin in listed}
    assert ours >= {
        ("protocols", "shout", "acme-shout", "1.2"),
        ("dispatchers", "highest-slot", "acme-shout", "1.2"),
        ("extensions", "greeting", "acme-shout", "1.2"),
        ("protocols", "broken", "acme-broken", "1.2"),
    }


@pytest.mark.parametrize(
    ("protocol", "explanation"),
    [
        ("broken", ["acme-broken", "acme_broken:Broken", "No module named 'a_module_that_nobody_has'"]),
        ("twin", ["'twin'", "twin-one", "twin-two"]),
        ("misspelt", ["acme_shout.Misspelt.on_acept", "did you mean 'on_accept'?"]),
        ("function", ["acme-shout", "is not a class"]),
        ("shuot", ["'shuot'", "did you mean 'shout'?"]),
    ],
)
def test_plugin_that_cannot_be_used_is_explained_and_nothing_starts(
    pool: Pools, scratch_python: str, protocol: str, explanation: list[str]
) -> None:
    is_in_the_code = protocol == "broken"
    refused = pool.serve(protocol, *BIND, exit_status=2, wait=False, python=scratch_python, traceback=is_in_the_code)

    assert refused.wait() == 2
    assert ("Traceback" in refused.stderr) == is_in_the_code
    said = " ".join(refused.stderr.split())
    assert [words for words in explanation if words not in said] == []


@pytest.mark.parametrize(
    ("options", "explanation"),
    [
        (("-o", "endign=!"), ["endign", "did you mean 'ending'?"]),
        (("-o", "ending=!", "-o", "loudness=11"), ["loudness"]),
    ],
)
def test_option_that_the_plugin_does_not_have_is_explained(
    pool: Pools, scratch_python: str, options: tuple[str, ...], explanation: list[str]
) -> None:
    refused = pool.serve("shout", *BIND, *options, exit_status=2, wait=False, python=scratch_python)

    assert refused.wait() == 2
    assert [words for words in explanation if words not in refused.stderr] == []


def test_strangers_own_tests_can_use_the_contract_suites(scratch_python: str) -> None:
    tests = Path(__file__).parent / "distributions" / "acme-shout" / "tests" / "test_contracts.py"
    alone = ["-p", "no:cacheprovider", "-c", "/dev/null", "--confcutdir", str(tests.parent)]
    command = [scratch_python, "-m", "pytest", "-q", *alone, str(tests)]

    finished = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603

    assert finished.returncode == 0, finished.stdout + finished.stderr
