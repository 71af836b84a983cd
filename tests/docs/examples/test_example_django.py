"""The Django project: set up as its README says, used as by browsers, and deployed anew while it is used."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import httpx
import pytest

from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from example_folders import Start

    from corepool.testing.pool import PoolProcess

SET_UP = f"""
{sys.executable} manage.py migrate --verbosity 0
{sys.executable} manage.py collectstatic --noinput --verbosity 0
exec "$@"
"""
PASSWORD = "correct horse battery staple"  # noqa: S105


class Site:
    """The project, served."""

    def __init__(self, running: PoolProcess, stack: ExitStack) -> None:
        self.running = running
        self._stack = stack

    def visit(self, listener: str = "web") -> httpx.Client:
        """Open a browser."""
        url = self.running.urls(listener)[0].replace("tcp:", "http:")
        client = httpx.Client(base_url=url, follow_redirects=True, timeout=DEADLINE_S)
        return self._stack.enter_context(client)

    def manage(self, *arguments: str, **environment: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=self.running.directory, env=environment, check=True, timeout=300)  # noqa: S603

    def lines(self) -> list[str]:
        """Read the book itself: the pages show only the latest ones."""
        with closing(sqlite3.connect(self.running.directory / "db.sqlite3", timeout=DEADLINE_S)) as database:
            return sorted(text for (text,) in database.execute("SELECT text FROM guestbook_entry"))

    @property
    def page(self) -> Path:
        return self.running.directory / "guestbook" / "templates" / "guestbook" / "page.html"

    def reload(self) -> None:
        generation = self.running.status()["reload"]["generation"]
        self.running.request("reload")
        wait_until(lambda: self.running.status()["reload"]["generation"] > generation)
        wait_until(lambda: self.running.status()["reload"]["state"] != "running")


@pytest.fixture
def site(start: Start) -> Iterator[Site]:
    # A deployment that fails writes a traceback; a request that fails has its status looked at.
    unchanged = {"PYTHONDONTWRITEBYTECODE": "1"}  # compiled files are told apart by the second
    running = start("django", traceback=True, wrapper=("sh", "-ec", SET_UP, "sh"), environment=unchanged)
    with ExitStack() as stack:
        yield Site(running, stack)


def write(browser: httpx.Client, text: str) -> httpx.Response:
    """Fill in the form and send it, with the token that the page gave."""
    browser.get("/").raise_for_status()
    token = browser.cookies["csrftoken"]
    return browser.post("/", data={"name": "Ada", "text": text, "csrfmiddlewaretoken": token})


def test_a_guest_writes_and_others_read_it_under_wsgi_and_asgi(site: Site) -> None:
    page = write(site.visit(), "What a nice place!")

    assert page.status_code == 200
    assert "What a nice place!" in page.text
    assert "What a nice place!" in site.visit("async").get("/").text
    assert site.visit("async").get("/latest").json() == {"entries": ["Ada: What a nice place!"]}
    assert site.visit("web").get("/latest").json() == {"entries": ["Ada: What a nice place!"]}


def test_a_form_without_its_token_is_refused(site: Site) -> None:
    assert site.visit().post("/", data={"name": "Mallory", "text": "!"}).status_code == 403


def test_the_page_is_styled_by_a_static_file(site: Site) -> None:
    page = site.visit().get("/").text

    found = re.search(r'href="(/static/[^"]+)"', page)
    assert found is not None
    sheet = site.visit("web").get(found[1])
    assert sheet.status_code == 200
    assert sheet.headers["content-type"].startswith("text/css")
    assert "font-family" in sheet.text


def test_the_keeper_sees_the_lines_in_the_admin(site: Site) -> None:
    write(site.visit(), "What a nice place!")
    account = ("--noinput", "--username", "recovery", "--email", "recovery@example.org")
    site.manage("createsuperuser", *account, DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    browser = site.visit()

    browser.get("/admin/").raise_for_status()
    login = {"username": "recovery", "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    browser.post("/admin/login/?next=/admin/", data=login).raise_for_status()

    assert "What a nice place!" in browser.get("/admin/guestbook/entry/").text
    assert browser.get("/admin/guestbook/entry/?q=awful").text.count("What a nice place!") == 0


def test_new_code_comes_by_a_reload_and_no_request_fails_meanwhile(site: Site) -> None:
    browsers = [site.visit(), site.visit(), site.visit("async")]
    is_over = threading.Event()
    written: list[str] = []
    failures: list[object] = []

    def use(browser: httpx.Client) -> None:
        """Go on until all is over, over a connection that stays open."""
        number = 0
        while not is_over.is_set() or number < 3:
            number += 1
            text = f"line {number} of {id(browser)}"
            try:
                response = write(browser, text)
            except httpx.HTTPError as error:
                failures.append(error)
                return
            if response.status_code != 200:
                failures.append(response)
            written.append(text)

    threads = [threading.Thread(target=use, args=(browser,)) for browser in browsers]
    for thread in threads:
        thread.start()
    try:
        site.page.write_text(site.page.read_text().replace("Guest book", "Visitors' book"))
        site.reload()
        new = site.visit().get("/").text
    finally:
        is_over.set()
        for thread in threads:
            thread.join()

    assert failures == []
    assert "Visitors' book" in new
    assert site.running.status()["reload"]["state"] == "done"
    assert len(written) >= 9
    assert site.lines() == sorted(written)


def test_code_that_cannot_be_imported_is_not_deployed(site: Site) -> None:
    browser = site.visit()
    (site.running.directory / "guestbook" / "forms.py").write_text("oops")

    site.reload()

    assert site.running.status()["reload"]["state"] == "failed"
    assert browser.get("/").status_code == 200
    assert site.visit("async").get("/latest").status_code == 200
