"""Files of the framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grid.client import ask_on

if TYPE_CHECKING:
    from grid.client import Site

TARGET = "/static/data.txt"


def _content(site: Site) -> bytes:
    return (site.running.directory / "static" / "data.txt").read_bytes()


def whole_file(site: Site) -> None:
    answer = site.get(TARGET)
    assert answer.body == _content(site)
    assert answer.header("content-length") == str(len(answer.body))
    assert (answer.header("content-type") or "").startswith("text/plain")


def head_of_a_file(site: Site) -> None:
    answer = site.ask("HEAD", TARGET)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("content-length") == str(len(_content(site)))


def range_of_a_file(site: Site) -> None:
    answer = site.get(TARGET, ("Range", "bytes=1000-1999"))
    assert answer.status == 206
    assert answer.body == _content(site)[1000:2000]
    assert answer.header("content-range") == f"bytes 1000-1999/{len(_content(site))}"


def end_of_a_file(site: Site) -> None:
    answer = site.get(TARGET, ("Range", "bytes=-10"))
    assert (answer.status, answer.body) == (206, _content(site)[-10:])


def range_without_an_end(site: Site) -> None:
    answer = site.get(TARGET, ("Range", "bytes=99000-"))
    assert (answer.status, answer.body) == (206, _content(site)[99_000:])


def range_beyond_the_file(site: Site) -> None:
    assert site.get(TARGET, ("Range", "bytes=500000-")).status == 416
    site.assert_serves()


def range_of_a_file_that_has_not_changed(site: Site) -> None:
    validator = site.get(TARGET).header("etag") or ""
    answer = site.get(TARGET, ("Range", "bytes=0-9"), ("If-Range", validator))
    assert (answer.status, answer.body) == (206, _content(site)[:10])


def range_of_a_file_that_has_changed(site: Site) -> None:
    answer = site.get(TARGET, ("Range", "bytes=0-9"), ("If-Range", '"of another one"'))
    assert (answer.status, answer.body) == (200, _content(site))


def not_modified_by_etag(site: Site) -> None:
    validator = site.get(TARGET).header("etag") or ""
    answer = site.get(TARGET, ("If-None-Match", validator))
    assert (answer.status, answer.body) == (304, b"")
    assert site.get(TARGET, ("If-None-Match", '"of another one"')).status == 200


def not_modified_by_date(site: Site) -> None:
    date = site.get(TARGET).header("last-modified") or ""
    answer = site.get(TARGET, ("If-Modified-Since", date))
    assert (answer.status, answer.body) == (304, b"")


def not_modified_on_a_connection_that_is_kept(site: Site) -> None:
    date = site.get(TARGET).header("last-modified") or ""
    connection = site.connection()
    for _ in range(2):
        assert ask_on(connection, "GET", TARGET, headers=[("If-Modified-Since", date)]).status == 304
        assert ask_on(connection, "GET", TARGET).body == _content(site)
    connection.close()


def no_file(site: Site) -> None:
    assert site.get("/static/none.txt").status == 404


def file_outside_of_the_folder(site: Site) -> None:
    assert site.get("/static/..%2fcorepool.toml").status in {400, 403, 404}
    assert site.get("/static/../corepool.toml").status in {400, 403, 404}
