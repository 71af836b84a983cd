"""Modules that a command must not import: each costs time at every start. No timing is asserted."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from http_client import get, http_toml

import corepool

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pools import Pools


def modules_of(source: str, **environment: str) -> set[str]:
    script = f"import sys\n{source}\nprint('\\n'.join(sys.modules))"
    command, everything = [sys.executable, "-c", script], {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=everything)  # noqa: S603
    return set(done.stdout.split())


HEAVY = {"asyncio", "importlib.metadata", "inspect", "pluggy", "pydantic", "rich", "tomli", "typer", "logging"}


def test_the_package_alone_imports_nearly_nothing() -> None:
    assert modules_of("import corepool") & HEAVY == set()


def test_the_version_is_printed_without_the_command_line() -> None:
    asked = "sys.argv[1:] = ['--version']\nfrom corepool.cli import main\nmain()"

    assert modules_of(asked) & HEAVY == set()
    assert corepool.__version__ == version("corepool")


def test_the_public_names_are_all_there() -> None:
    assert [name for name in corepool.__all__ if not hasattr(corepool, name)] == []
    assert set(corepool.__all__) <= set(dir(corepool))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        corepool.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_the_command_line_imports_the_module_of_the_command_alone() -> None:
    found = modules_of("from corepool.cli.app import make_app\nmake_app()")

    assert found & {"pydantic", "rich.table", "rich.console", "asyncio", "corepool.config.settings"} == set()
    assert {name for name in found if name.startswith("corepool.cli.")} == {
        *("corepool.cli.app", "corepool.cli.commands", "corepool.cli.foreign"),
    }


def test_no_source_is_read_for_the_texts_of_help() -> None:
    found = modules_of(
        "import linecache, corepool.config.settings, corepool_http\n"
        "print('read:', *linecache.cache)\n"
        "from corepool.spec.described import descriptions_of\n"
        "print('texts:', *descriptions_of(corepool.config.settings.PoolSettings))"
    )

    assert not {each for each in found if each.endswith("settings.py")}
    assert "recycle_age" in found, "the texts are there when they are wanted"


def test_a_pool_starts_without_tables_and_without_other_commands() -> None:
    found = modules_of("import corepool.cli.start, corepool.cli.serve, corepool.launch.pool")

    unwanted = {
        "rich.table",
        "rich.live",
        "watchfiles",
        "corepool.cli.status",
        "corepool.cli.top",
        "corepool.cli.check",
    }
    assert found & unwanted == set()


UP_TO_THE_FORK = """
import os
sys.argv[1:] = {arguments}
class Forks(BaseException): ...
def fork():
    raise Forks
os.fork = fork
from corepool.cli import main
try:
    main()
except Forks:
    pass
"""

TOML = """
[pool]
workers = 2
[[listener]]
bind = "tcp://127.0.0.1:0"
protocol = "http"
[listener.options]
target = "app:app"
keep_alive = "5s"
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "http", "app:app", "-w", "2", "-b", "127.0.0.1:0", "--control", "control.sock"],
        ["run", "corepool.toml", "--control", "control.sock"],
        ["serve", "http", "app:app", "--threads", "4", "--no-deflate", "-o", "max_head=4096", "--idle-timeout", "5m"],
    ],
)
def test_a_pool_that_is_started_plainly_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    """Each of these took 2 to 50 % of the time from the start to the first answer."""
    (tmp_path / "corepool.toml").write_text(TOML)
    source = f"import os\nos.chdir({str(tmp_path)!r})\n" + UP_TO_THE_FORK.format(arguments=arguments)

    found = modules_of(source, XDG_RUNTIME_DIR=str(tmp_path), COREPOOL_POOL_SURGE="2")

    assert "corepool_http.exchange" in found, "it went as far as the fork"
    unwanted = {
        *("annotated_types", "pydantic", "pydantic_core", "typer", "rich", "click"),
        *("importlib.metadata", "difflib", "logging.config", "typing_extensions", "platform"),
        *("corepool.config.positions", "corepool.cli.watch", "corepool.cli.app"),
        *(() if arguments[0] == "run" else ("tomli", "hashlib")),
    }
    assert found & unwanted == set()


APPLICATIONS = """
import sys

def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [" ".join(sys.modules).encode()]

async def asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": " ".join(sys.modules).encode()})
"""


@pytest.mark.parametrize("target", ["wsgi", "asgi"])
def test_a_worker_of_http_serves_without_pydantic(target: str, pool: Pools, tmp_path: Path) -> None:
    (tmp_path / "its.py").write_text(APPLICATIONS)

    running = pool(http_toml(target=f"its:{target}", directory=str(tmp_path), lifespan="off"))
    found = get(running, "/").body.split()

    assert b"corepool_http.exchange" in found
    assert b"pydantic" not in found
