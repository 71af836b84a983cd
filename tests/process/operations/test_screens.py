"""`status`, `top`, `ps` and `plugins` as a person sees them, on terminals of 80 and of 120 columns."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from http_client import get
from operated import corepool
from seen import Seen

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

TWO_POOLS = """
[[pool]]
name = "web"
workers = 2
[[pool]]
name = "probes"
workers = 1
[[listener]]
name = "http"
pool = "web"
bind = ["tcp://127.0.0.1:0", "unix:@NAME-for-the-proxy-that-is-far-too-long-to-be-shown-in-whole.sock"]
protocol = "http"
[listener.options]
target = "application:app"
threads = 3
[[listener]]
name = "admin"
pool = "probes"
bind = ["tcp://127.0.0.1:0"]
protocol = "admin"
"""
APPLICATION = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]
"""


@pytest.fixture
def running(pool: Pools) -> PoolProcess:
    return pool(TWO_POOLS.replace("NAME", uuid4().hex), files={"application.py": APPLICATION})


def screen_of(running: PoolProcess, *arguments: str, columns: int = 80, lines: int = 40) -> list[str]:
    with Seen(*arguments, columns=columns, lines=lines, environment=surroundings(running)) as seen:
        assert seen.end() == 0
        return seen.lines()


def surroundings(running: PoolProcess) -> dict[str, str]:
    return {"XDG_RUNTIME_DIR": str(running.directory)}


def words(lines: list[str]) -> list[list[str]]:
    return [line.split() for line in lines]


def ports(running: PoolProcess) -> list[str]:
    return [url for url in running.urls() if url.startswith("tcp:")]


@pytest.mark.parametrize("columns", [80, 120])
def test_status_breaks_no_word_and_shows_every_port(running: PoolProcess, columns: int) -> None:
    get(running, "/")
    lines = screen_of(running, "status", "--control", str(running.control), columns=columns)

    text = "\n".join(lines)
    assert all(url in text for url in ports(running))
    assert re.search(r"^http +web ", text, re.MULTILINE)
    assert "in-whole.sock" in text, "the end of a long address is shown"
    rows = words(lines)
    headings = next(row for row in rows if row[:1] == ["LISTENER"])
    assert headings[:4] == ["LISTENER", "POOL", "BOUND", "TO"]
    assert "HOOK" not in headings, "zeros are left out"
    assert ["web", "ready", "2", "2"] in rows
    workers = [row for row in rows if len(row) > 4 and row[0] in ("web", "probes") and row[3] == "ready"]
    assert [(row[0], row[1], int(row[2])) for row in workers] == [
        (each["pool"], str(each["slot"]), each["pid"]) for each in running.status()["workers"]
    ]
    headings = next(row for row in rows if row[:2] == ["POOL", "SLOT"])
    assert {"THREADS", "CONNS", "REQUESTS"} <= set(headings)
    assert "WAITING" not in headings
    assert "RESTARTS" not in text


def test_wide_shows_every_column_and_so_does_a_pipe(running: PoolProcess) -> None:
    wide = screen_of(running, "status", "--wide", "--control", str(running.control), columns=400)
    piped = corepool(running, "status").stdout

    for text in ("\n".join(wide), piped):
        assert all(
            each in text
            for each in ("HOOK ERRORS", "LAYER FAILURES", "BYTES IN", "DISPATCHER", "WAITING", "RESTARTS", "GEN")
        )
        assert "-for-the-proxy-that-is-far-too-long-to-be-shown-in-whole.sock" in text
    assert "\x1b" not in piped


@pytest.mark.parametrize(
    ("flags", "environment", "is_colored"),
    [
        ([], {}, True),
        ([], {"NO_COLOR": "1"}, False),
        (["--color", "never"], {}, False),
        (["--color", "always"], {"TERM": "dumb"}, True),
    ],
)
def test_states_are_colored_unless_colors_are_not_wanted(
    running: PoolProcess,
    flags: list[str],
    environment: dict[str, str],
    is_colored: bool,  # noqa: FBT001
) -> None:
    arguments = ("status", *flags, "--control", str(running.control))
    with Seen(*arguments, environment=environment) as seen:
        assert seen.end() == 0
        assert (b"\x1b[32mready" in seen.bytes) == is_colored
        assert (b"\x1b[3" in seen.bytes) == is_colored


def test_color_always_colors_a_pipe_and_other_words_are_refused(running: PoolProcess) -> None:
    assert "\x1b[32mready" in corepool(running, "status", "--color", "always").stdout
    refused = corepool(running, "status", "--color", "sometimes")
    assert refused.returncode == 2
    assert "expected auto, always, never, not 'sometimes'" in refused.stderr


def test_ps_and_plugins_fit_as_well(running: PoolProcess) -> None:
    lines = screen_of(running, "ps")
    text = "\n".join(lines)
    assert words(lines)[0][:2] == ["NAME", "PID"]
    assert words(lines)[1][:2] == [running.directory.name, str(running.pid)]
    assert all(url in text for url in ports(running))

    with Seen("plugins", lines=100) as seen:
        assert seen.end() == 0
        assert words(seen.lines())[0] == ["KIND", "NAME", "DISTRIBUTION", "VERSION"]
        assert ["protocols", "echo", "corepool"] in [row[:3] for row in words(seen.lines())]


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (120, 40)])
def test_top_fits_counts_requests_sorts_by_keys_and_ends_with_q(running: PoolProcess, columns: int, lines: int) -> None:
    arguments = ("top", "--interval", "0.1", "--control", str(running.control))
    with Seen(*arguments, columns=columns, lines=lines, environment=surroundings(running)) as seen:

        def rate(shown: list[str]) -> float:
            get(running, "/")
            found = [float(line.split()[1]) for line in shown if line.startswith("requests/s")]
            return found[0] if found else 0.0

        shown = seen.wait_for(lambda shown: rate(shown) > 0, "requests per second")
        text = "\n".join(shown)
        assert all(url in text for url in ports(running))
        assert all(str(pid) in text for pid in running.workers())
        assert "q quit" in text
        headings = next(row for row in words(shown) if row[:2] == ["POOL", "SLOT"])
        assert {"THREADS", "REQ/S", "REQUESTS"} <= set(headings)

        at = headings.index("REQUESTS")
        most = max(running.status()["workers"], key=lambda each: each["requests"])

        def is_sorted(shown: list[str]) -> bool:
            found = [int(row[at]) for row in words(shown) if row[:1] in (["web"], ["probes"]) and len(row) > at]
            return len(found) == 3 and found == sorted(found, reverse=True)

        seen.press("n")
        seen.wait_for(is_sorted, "sorted by requests")
        assert most["requests"] > 0
        seen.press("q")
        assert seen.end() == 0
        assert seen.is_restored()


def test_top_leaves_the_terminal_as_it_was_when_it_is_interrupted(running: PoolProcess) -> None:
    with Seen("top", "--interval", "0.1", "--control", str(running.control)) as seen:
        seen.wait_for(lambda shown: any("q quit" in line for line in shown), "the pool is shown")
        seen.process.send_signal(signal.SIGINT)
        assert seen.end() == 0
        assert seen.is_restored()
