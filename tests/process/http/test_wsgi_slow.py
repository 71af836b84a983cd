"""A WSGI application that keeps the loop is in the log, with the advice to run it in threads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from http_client import APPLICATIONS, get, http_toml

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

STREAM = """
import time

def app(environ, start_response):
    start_response("200 OK", [])
    for _ in range(40):  # over several turns of the loop
        yield b"."
    time.sleep(0.3)
    yield b"end"
"""
ADVICE = r'loop_blocked request="GET (\S+)" seconds=[\d.]+ advice="--threads 4 [^"]+"( suppressed=\d+)?'


def test_an_application_that_keeps_the_loop_is_logged_once_a_minute(pool: Pools) -> None:
    running = pool(http_toml(target="applications:wsgi", directory=str(APPLICATIONS)))
    for _ in range(3):
        assert get(running, "/sleep/0.3").body == b"slept"
    wait_until(lambda: re.search(ADVICE, running.stderr) is not None)
    running.stop()
    assert re.findall(ADVICE, running.stderr) == [("/sleep/0.3", "")]


def test_so_is_a_stream(pool: Pools) -> None:
    running = pool(http_toml(target="application:app", slow_call="200ms"), files={"application.py": STREAM})
    assert get(running, "/slow").body == b"." * 40 + b"end"
    wait_until(lambda: re.findall(ADVICE, running.stderr) == [("/slow", "")])


@pytest.mark.parametrize("options", [{"slow_call": 0}, {"threads": 1}])
def test_nothing_is_said_without_a_limit_nor_of_threads(pool: Pools, options: dict[str, object]) -> None:
    running = pool(http_toml(target="applications:wsgi", directory=str(APPLICATIONS), **options))
    assert get(running, "/sleep/0.3").body == b"slept"
    assert get(running, "/").status == 200
    running.stop()
    assert "loop_blocked" not in running.stderr
