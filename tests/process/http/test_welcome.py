"""The page of the demo pool."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from http_client import get, http_toml
from playwright.sync_api import sync_playwright

from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

_APP = "corepool_http.welcome:app"


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Debian's Chromium: the library would look for a build of its own."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"], timeout=0)
        yield started
        started.close()


def url_of(running: PoolProcess) -> str:
    return running.urls()[0].replace("tcp://", "http://")


def facts(running: PoolProcess) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(get(running, "/status.json").body)
    return told


def test_the_json_is_the_status_of_the_pool(pool: Pools) -> None:
    running = pool(http_toml(workers=3, target=_APP))
    pids = running.workers()

    def seen() -> list[list[int]]:
        return [[each["slot"], each["pid"]] for each in facts(running)["workers"]]

    wait_until(lambda: seen() == [[slot, pid] for slot, pid in enumerate(pids)])
    [listener] = facts(running)["listeners"]
    assert listener["bind"] == running.urls()
    assert facts(running)["examples"] == {listener["name"]: [f"curl {url_of(running)}/"]}
    assert get(running, "/nothing").status == 404

    # A worker that has gone is seen no more, and its replacement is.
    running.send_signal(22)  # TTOU
    wait_until(lambda: len(running.workers()) == 2)
    wait_until(lambda: seen() == [[slot, pid] for slot, pid in enumerate(running.workers())])


def test_events_are_a_stream_that_ends(pool: Pools) -> None:
    running = pool(http_toml(workers=1, target=_APP))
    response = get(running, "/events")

    assert response.header("content-type") == "text/event-stream"
    first, *events, rest = response.body.decode().split("\n\n")
    assert first.startswith("retry: ")
    assert rest == ""
    uptimes = [json.loads(event.removeprefix("data: "))["uptime"] for event in events]
    assert len(set(uptimes)) == len(events) > 1  # each is asked for anew


def test_a_master_that_does_not_answer_is_shown(pool: Pools) -> None:
    running = pool(http_toml(workers=1, target=_APP))
    with httpx.Client(base_url=url_of(running), timeout=DEADLINE_S) as client:  # asks the worker alone

        def seen() -> dict[str, Any]:
            told: dict[str, Any] = client.get("/status.json").json()
            return told

        wait_until(lambda: seen().get("state") == "ready")
        os.kill(running.pid, signal.SIGSTOP)
        try:
            wait_until(lambda: seen().get("stale"))
        finally:
            os.kill(running.pid, signal.SIGCONT)
        wait_until(lambda: seen().get("state") == "ready")


def test_a_browser_shows_live_numbers_and_a_replacement(pool: Pools, browser: Browser) -> None:
    running = pool(http_toml(workers=2, target=_APP))
    page = browser.new_page()
    page.set_default_timeout(0)  # the tests have a deadline of their own, for all of them
    asked_for: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: asked_for.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text))

    page.goto(f"{url_of(running)}/")
    page.wait_for_selector("#connection.live")
    pids = page.locator("#workers td:nth-child(2)").all_inner_texts()
    assert [int(pid) for pid in pids] == running.workers()
    assert page.locator(".card .addresses li").inner_text() == running.urls()[0]
    assert page.locator(".card .try code").inner_text() == f"curl {url_of(running)}/"

    accepted = "Number(document.querySelector('.card dl div:nth-child(2) dd').textContent)"
    before = page.evaluate(accepted)
    get(running, "/status.json")
    wait_until(lambda: page.evaluate(accepted) > before)  # without loading the page again

    os.kill(running.workers()[0], signal.SIGKILL)
    page.wait_for_selector("tr.new", state="attached")
    page.wait_for_selector("#connection.live")

    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").or_(page.get_by_role("button", name="Selected")).wait_for()
    assert all(each.startswith(url_of(running)) for each in asked_for)
    # The stream of a killed worker breaks off: the browser says so, and goes on.
    assert [each for each in problems if "ERR_" not in each] == []


def test_it_fits_a_phone_and_follows_the_colours_of_the_system(pool: Pools, browser: Browser) -> None:
    running = pool(http_toml(workers=2, target=_APP))
    grounds = []
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)  # type: ignore[arg-type]
        page.set_default_timeout(0)
        page.goto(f"{url_of(running)}/")
        page.wait_for_selector("#connection.live")
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(set(grounds)) == 2


def test_it_works_under_a_prefix(pool: Pools, browser: Browser) -> None:
    running = pool(http_toml(workers=1, target=_APP, root_path="/demo"))
    page = browser.new_page()
    page.set_default_timeout(0)
    page.goto(f"{url_of(running)}/")
    page.wait_for_selector("#connection.live")
