"""--env-file, --log-config, and the flags of --reload, with a real pool behind them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from http_client import get

from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from conftest import Corepool

APPLICATION = """
import logging, os
from pathlib import Path

def app(environ, start_response):
    logging.getLogger("shop").warning("asked for %s", environ["PATH_INFO"])
    start_response("200 OK", [])
    return [os.environ.get("GREETING", "none").encode(), b" ", Path("page.txt").read_bytes()]
"""
FILES = {"app.py": APPLICATION, "page.txt": "one"}
HTTP = ("http", "app:app", "-b", "127.0.0.1:0", "-w", "1")


def test_variables_of_a_file_reach_the_application_and_count_again_at_a_reload() -> None:
    with PoolProcess.serve(*HTTP, "--env-file", "shop.env", files={**FILES, "shop.env": "GREETING=hello\n"}) as pool:
        assert get(pool, "/").body == b"hello one"
        (pool.directory / "shop.env").write_text("GREETING='good day'\n")
        pool.request("reload")
        wait_until(lambda: get(pool, "/").body == b"good day one")
        pool.stop()


def test_a_missing_file_of_variables_is_a_mistake(corepool: Corepool) -> None:
    done = corepool("serve", "http", "a:b", "--env-file", "missing.env")

    assert done.returncode == 2
    assert done.stderr == "corepool: --env-file missing.env: can't be read: No such file or directory\n"


LOGGING = {
    "version": 1,
    "formatters": {"plain": {"format": "SHOP %(message)s"}},
    "handlers": {"file": {"class": "logging.FileHandler", "filename": "shop.log", "formatter": "plain"}},
    "loggers": {"shop": {"handlers": ["file"]}},
}
INI = """
[loggers]
keys = root, shop
[handlers]
keys = file
[formatters]
keys = plain
[logger_root]
handlers =
[logger_shop]
handlers = file
qualname = shop
[handler_file]
class = FileHandler
args = ("shop.log",)
formatter = plain
[formatter_plain]
format = SHOP %(message)s
"""


@pytest.mark.parametrize(("name", "text"), [("logging.json", json.dumps(LOGGING)), ("logging.ini", INI)])
def test_pythons_logging_is_configured_from_a_file(name: str, text: str) -> None:
    with PoolProcess.serve(*HTTP, "--log-config", name, files={**FILES, name: text}) as pool:
        get(pool, "/x")
        wait_until(lambda: "SHOP asked for /x" in (pool.directory / "shop.log").read_text())
        pool.stop()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("l.json", "Expecting"),
        ("l.ini", "log.config"),
        ("twice.ini", "DuplicateOptionError"),
        ("l.yaml", "while parsing"),
    ],
)
def test_a_wrong_log_config_ends_the_boot_in_a_line(name: str, words: str) -> None:
    wrong = {"l.json": "{", "l.ini": "?", "twice.ini": "[loggers]\nkeys=root\nkeys=root\n", "l.yaml": "{"}
    files = FILES | wrong
    with PoolProcess.serve(*HTTP, "--log-config", name, files=files, wait=False) as pool:
        assert pool.wait() == 3
    assert words in pool.stderr
    assert "log.config" in pool.stderr
    assert "Traceback" not in pool.stderr


def test_a_log_config_that_is_not_there_is_a_mistake_before_the_start() -> None:
    with PoolProcess.serve(*HTTP, "--log-config", "no.json", files=FILES, wait=False) as pool:
        assert pool.wait() == 2
    assert "--log-config = 'no.json': can't be read: No such file" in pool.stderr


def test_included_files_bring_on_a_reload_and_excluded_ones_do_not() -> None:
    flags = ("--reload", "--reload-include", "*.txt", "--reload-exclude", "secret*", "--log-level", "info")
    with PoolProcess.serve(*HTTP, *flags, files=FILES) as pool:
        (pool.directory / "secret.txt").write_text("x")
        (pool.directory / "page.txt").write_text("two")
        pool.wait_logged("changed: page.txt; reloading")
        pool.stop()

    assert "secret" not in pool.stderr


def test_a_save_before_the_watcher_has_begun_is_seen() -> None:
    """The application saves itself when it is imported, which is before the watcher watches."""
    saving = "from pathlib import Path\nif not Path('done').exists():\n    Path('done').touch()\n"
    saving += "    Path('fresh.py').write_text('')\n"
    with PoolProcess.serve(*HTTP, "--reload", files={**FILES, "app.py": saving + APPLICATION}) as pool:
        pool.wait_logged("changed: fresh.py; reloading")
        pool.stop()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--reload-include", "*.txt"), "--reload-include: without --reload no file is watched"),
        (("--reload", "--reload-dir", "missing"), "--reload-dir missing: there is no such folder"),
    ],
)
def test_flags_of_reload_that_can_have_no_effect_are_mistakes(
    corepool: Corepool, flags: tuple[str, ...], words: str
) -> None:
    done = corepool("serve", "echo", "-b", "0", *flags)

    assert done.returncode == 2
    assert words in done.stderr
