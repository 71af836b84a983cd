"""Causes for which `run` refuses to start: `check` names each of them, in the same words and with its line.

One row for each step of a start: descriptors, priority and user (system/identity), the log (logs/log), the pidfile
(system/pidfile), addresses (launch/binding and the transports), the control socket (master/control), and the files that
the options of our own plugins name.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from corepool.testing.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A root without privileges; other users have none anyway.
POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()

TOML = """{tables}
[[listener]]
name = "it"
bind = ["{bind}"]
protocol = "echo"
{listener}"""


class Cause(NamedTuple):
    """A configuration that is refused. `{}` in the texts is the test's folder."""

    says: str
    """The beginning of the mistake, from its key path on."""
    tables: str = ""
    bind: str = "tcp://127.0.0.1:0"
    listener: str = ""


def table(name: str, line: str) -> str:
    return f"[{name}]\n{line}"


CAUSES = {
    # the log
    "no folder of the log": Cause(
        'log.file = "{}/no/x.log": can\'t be opened: No such file', table("log", 'file = "{}/no/x.log"')
    ),
    "a folder as the log": Cause('log.file = "{}": can\'t be opened: Is a directory', table("log", 'file = "{}"')),
    "a file as the folder of the log": Cause(
        'log.file = "{}/file/x": can\'t be opened: Not a directory', table("log", 'file = "{}/file/x"')
    ),
    "a closed folder of the log": Cause(
        'log.file = "{}/closed/x": can\'t be opened: Permission denied', table("log", 'file = "{}/closed/x"')
    ),
    "a closed log": Cause(
        'log.file = "{}/locked": can\'t be opened: Permission denied', table("log", 'file = "{}/locked"')
    ),
    "a link as the log": Cause(
        'log.file = "{}/link": can\'t be opened: it is a link; name the file itself', table("log", 'file = "{}/link"')
    ),
    "a socket as the log": Cause(
        'log.file = "{}/socket": can\'t be opened: No such device', table("log", 'file = "{}/socket"')
    ),
    "a name of the log that is too long": Cause(
        'log.file = "{}/' + "x" * 256 + "\": can't be opened: File name too long",
        table("log", 'file = "{}/' + "x" * 256 + '"'),
    ),
    "no file of the log's configuration": Cause(
        "log.config = '{}/no.ini': can't be read: No such file", table("log", 'config = "{}/no.ini"')
    ),
    "a folder as the log's configuration": Cause(
        "log.config = '{}': can't be read: Is a directory", table("log", 'config = "{}"')
    ),
    # the pidfile
    "no folder of the pidfile": Cause(
        'process.pidfile = "{}/no/x.pid": No such file', table("process", 'pidfile = "{}/no/x.pid"')
    ),
    "a folder as the pidfile": Cause('process.pidfile = "{}": Is a directory', table("process", 'pidfile = "{}"')),
    "a closed folder of the pidfile": Cause(
        'process.pidfile = "{}/closed/x": Permission denied', table("process", 'pidfile = "{}/closed/x"')
    ),
    "another file as the pidfile": Cause(
        'process.pidfile = "{}/file": the file exists and is no pidfile', table("process", 'pidfile = "{}/file"')
    ),
    "a link as the pidfile": Cause(
        'process.pidfile = "{}/link": Too many levels of symbolic links', table("process", 'pidfile = "{}/link"')
    ),
    # limits, priority, user
    "a priority": Cause("process.nice = -3: Permission denied", table("process", "nice = -3")),
    "descriptors": Cause(
        "process.nofile = 2000000000: not allowed to raise maximum limit", table("process", "nofile = 2000000000")
    ),
    "an unknown user": Cause('process.user = "no-one"', table("process", 'user = "no-one"')),
    "an unknown group": Cause('process.group = "no-one"', table("process", 'group = "no-one"')),
    "another user": Cause("process.user", table("process", "user = 12345\ngroup = 12345")),
    "a CPU": Cause("process.affinity[0] = 4000", table("process", "affinity = [4000]")),
    # the control socket
    "a closed folder of the control socket": Cause(
        "control.socket: control socket {}/closed/x: ", table("control", 'socket = "{}/closed/x"')
    ),
    "a closed folder above that of the control socket": Cause(
        "control.socket: control socket {}/closed/new/x: Permission denied",
        table("control", 'socket = "{}/closed/new/x"'),
    ),
    "a file as the control socket": Cause(
        "control.socket: control socket {}/file: ", table("control", 'socket = "{}/file"')
    ),
    "a file as the folder of the control socket": Cause(
        "control.socket: control socket {}/file/x: ", table("control", 'socket = "{}/file/x"')
    ),
    # addresses
    "no folder of a socket": Cause(
        "listener[0].bind[0]: can't listen on unix://{}/no/x: the folder '{}/no' doesn't exist", bind="unix://{}/no/x"
    ),
    "a closed folder of a socket": Cause(
        "listener[0].bind[0]: can't listen on unix://{}/closed/x: the socket '{}/closed/x' can't be made: Permission",
        bind="unix://{}/closed/x",
    ),
    "a file in the place of a socket": Cause(
        "listener[0].bind[0]: can't listen on unix://{}/file: '{}/file' exists and is not a socket",
        bind="unix://{}/file",
    ),
    "a port below 1024": Cause(
        "listener[0].bind[0]: can't listen on tcp://127.0.0.1:1: permission denied", bind="tcp://127.0.0.1:1"
    ),
    "an address of another machine": Cause(
        "listener[0].bind[0]: can't listen on tcp://192.0.2.1:0: this machine has no such address",
        bind="tcp://192.0.2.1:0",
    ),
    "an unknown host": Cause(
        "listener[0].bind[0]: can't listen on tcp://no.such.host.invalid:0: can't resolve the host",
        bind="tcp://no.such.host.invalid:0",
    ),
    # options
    "options of an extension that is not listed": Cause(
        "listener[0].extension_options.limits: it is not among the extensions of this listener",
        listener="extension_options.limits.rate = 3",
    ),
    "wrong options of an extension that is not listed": Cause(
        "listener[0].extension_options.limits.per_pear: unknown key",
        listener="extension_options.limits.per_pear = 3",
    ),
    "wrong options of an extension whose name is misspelt there": Cause(
        "listener[0].extension_options.acces.alow: unknown key (did you mean 'allow'?)",
        listener='extensions = ["access"]\nextension_options.acces = { alow = [], deny = ["10.0.0.0/8"] }',
    ),
    "options of a dispatcher that is not set": Cause(
        "listener[0].dispatcher_options: options of which dispatcher?", listener="dispatcher_options = { choices = 3 }"
    ),
}

PLUGINS = """
[[listener]]
name = "it"
bind = ["tcp://127.0.0.1:0"]
"""

OPTIONS = {
    "listener[0].extension_options.accesslog.file = ": """
        protocol = "echo"
        extensions = ["accesslog"]
        extension_options.accesslog.file = "{}/closed/x"
    """,
    'listener[0].options: access_log_file = "{}/no/x": can\'t be opened: No such file or directory': """
        protocol = "http"
        options = { root = ".", access_log = "json", access_log_file = "{}/no/x" }
    """,
    "listener[0].options.root = ": """
        protocol = "http"
        options.root = "{}/no"
    """,
    "listener[0].options: store lmdb:{}/closed/x can't be made: Permission denied": """
        protocol = "kv"
        options.store = "lmdb:{}/closed/x"
    """,
    "listener[0].options.password_file = ": """
        protocol = "kv"
        options.password_file = "{}/no"
    """,
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "file").write_text("precious\n")
    (tmp_path / "closed").mkdir(mode=0o500)
    (tmp_path / "locked").touch(mode=0o400)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        yield tmp_path


def told(folder: Path, *command: str, status: int = 2) -> str:
    """Run a command that must end with a status, and return what it says."""
    done = subprocess.run(  # noqa: S603 - the test's own command
        [*POWERLESS, sys.executable, "-m", "corepool", *command],
        cwd=folder,
        env=os.environ | {"XDG_RUNTIME_DIR": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr


def refused(folder: Path, says: str) -> None:
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    by_check, by_run = told(folder, "check"), told(folder, "run")

    assert by_check == by_run
    expected = re.escape(says.replace("{}", str(folder)))
    assert re.search(rf"^corepool\.toml:\d+: {expected}", by_check, re.MULTILINE), by_check
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before, "nothing was made"
    assert (folder / "file").read_text() == "precious\n"


@pytest.mark.parametrize("cause", CAUSES)
def test_check_finds_what_run_would_refuse(folder: Path, cause: str) -> None:
    row = CAUSES[cause]
    toml = TOML.format(tables=row.tables, bind=row.bind, listener=row.listener).replace("{}", str(folder))
    (folder / "corepool.toml").write_text(toml)

    refused(folder, row.says)


@pytest.mark.parametrize("says", OPTIONS)
def test_check_finds_the_files_of_plugins_that_run_would_refuse(folder: Path, says: str) -> None:
    (folder / "corepool.toml").write_text(PLUGINS + OPTIONS[says].replace("{}", str(folder)))

    refused(folder, says)


def test_all_of_them_are_told_at_once_and_in_the_order_of_the_file(folder: Path) -> None:
    (folder / "corepool.toml").write_text(f"""
[log]
file = "{folder}/no/x.log"
[process]
pidfile = "{folder}/no/x.pid"
nice = -3
[pool]
wrokers = 3
[control]
socket = "{folder}/file/x"
[[listener]]
name = "it"
protocol = "ecko"
bind = [
  "unix://{folder}/no/x",
  "tcp://192.0.2.1:0",
]
""")

    by_check = told(folder, "check")

    assert by_check == told(folder, "run")
    heading, *lines = by_check.splitlines()
    assert heading == "corepool: 8 mistakes in corepool.toml:"
    assert [line.split(": ")[0] for line in lines] == [f"corepool.toml:{n}" for n in (3, 5, 6, 8, 10, 13, 15, 16)]


@pytest.mark.parametrize("command", [("check", "--file-only"), ("config",)], ids=" ".join)
@pytest.mark.parametrize(
    "cause", [each for each in CAUSES if CAUSES[each].tables or CAUSES[each].bind.startswith("unix")]
)
def test_what_judges_or_shows_the_file_alone_is_not_refused(folder: Path, cause: str, command: tuple[str, ...]) -> None:
    row = CAUSES[cause]
    toml = TOML.format(tables=row.tables, bind=row.bind, listener=row.listener).replace("{}", str(folder))
    (folder / "corepool.toml").write_text(toml)

    assert told(folder, *command, status=0) == ""


def test_the_file_alone_has_mistakes_all_the_same(folder: Path) -> None:
    (folder / "corepool.toml").write_text(TOML.format(tables="[log]\nfile = '/no/x'", bind="x", listener="wrong = 1"))

    said = told(folder, "check", "--file-only")

    assert [line.split(": ")[1] for line in said.splitlines()[1:]] == ['listener[0].bind[0] = "x"', "listener[0].wrong"]
