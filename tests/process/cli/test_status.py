"""`corepool status` against a pool, against nothing, and against things that are no pool."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from made_up_status import made_up_status

from corepool.build import is_compiled
from corepool.cli.client import pid_of_master
from corepool.errors import ControlError
from corepool.testing.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Corepool

STATUS: Any = made_up_status()


@contextmanager
def pool_that_answers(path: Path, *answers: bytes) -> Iterator[list[bytes]]:
    """Stand in for a master: to each request one of these answers. Yields the requests."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            for answer in answers:
                with listening.accept()[0] as connection:
                    asked.append(connection.recv(4096))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join()


def test_an_upgrade_that_another_one_overtakes_is_not_waited_for(corepool: Corepool, tmp_path: Path) -> None:
    begun = {"state": "running", "pid": 8, "error": ""}
    answers = [
        reply(ok=True, result=begun),
        reply(ok=True, result={**STATUS, "pid": 7, "upgrade": begun}),
        reply(ok=True, result={**STATUS, "pid": 9, "upgrade": {"state": "none", "pid": 0, "error": ""}}),
    ]
    with pool_that_answers(tmp_path / "c.sock", *answers):
        done = corepool("upgrade", "--control", "c.sock")

    assert done.returncode == 1
    said = "pool at c.sock: another upgrade has begun meanwhile; the master is pid 9 now"
    assert done.stderr == f"corepool: {said}\n"


def reply(**members: object) -> bytes:
    return json.dumps(members).encode() + b"\n"


def test_where_nothing_listens_it_says_so_and_how_to_choose(corepool: Corepool, tmp_path: Path) -> None:
    done = corepool("status")

    folder = tmp_path / "corepool"
    assert done.returncode == 1
    assert done.stderr == f"corepool: no pool runs: {folder} has none (--control PATH chooses another place)\n"


def test_a_socket_file_that_a_dead_pool_left_is_no_pool(corepool: Corepool, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "c.sock"))

    done = corepool("status", "--control", "c.sock")

    assert done.returncode == 1
    assert "no pool answers at c.sock" in done.stderr


def test_the_json_is_what_the_pool_said(corepool: Corepool, tmp_path: Path) -> None:
    with pool_that_answers(tmp_path / "c.sock", reply(ok=True, result=STATUS)) as asked:
        done = corepool("status", "--json", "--control", "c.sock")

    assert (done.returncode, json.loads(done.stdout)) == (0, STATUS)
    assert asked == [b'{"command": "status"}\n']


def test_the_tables_show_listeners_workers_and_totals(corepool: Corepool, tmp_path: Path) -> None:
    with pool_that_answers(tmp_path / "c.sock", reply(ok=True, result=STATUS)):
        done = corepool("status", "--control", "c.sock")

    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert done.stdout.splitlines()[:2] == [
        "shop: /srv/shop/corepool.toml",
        f"pid 41, ready, generation 0, up 2 h, corepool 0.1.0{', compiled' if is_compiled() else ''}",
    ]
    assert ["echo", "tcp://127.0.0.1:7007", "echo", "kernel", "5", "2", "1023", "B", "5.0", "GiB", *"0003"] in rows
    assert ["unix:@[bold]x"] in rows, "names are text, never markup"
    assert ["0", "42", "ready", "0", "2", "9", "5", "0.2", "3.0", "MiB", "12", "s"] in rows
    assert " ".join(rows[-2]) == " ".join(STATUS["totals"]).replace("_", " ").upper(), "the totals' names"
    assert [cell for cell in rows[-1] if cell != "B"] == [str(count) for count in STATUS["totals"].values()]


def test_a_master_of_another_version_has_fewer_counters(corepool: Corepool, tmp_path: Path) -> None:
    known, totals = dict(STATUS["listeners"][0]), dict(STATUS["totals"])
    del known["hook_errors"], totals["hook_errors"]
    with pool_that_answers(
        tmp_path / "c.sock", reply(ok=True, result={**STATUS, "listeners": [known], "totals": totals})
    ):
        done = corepool("status", "--control", "c.sock")

    assert (done.returncode, done.stderr) == (0, "")
    assert "BYTES IN" in done.stdout
    assert "HOOK ERRORS" not in done.stdout


def test_the_socket_is_that_of_the_configuration_even_while_that_is_being_edited(
    corepool: Corepool, tmp_path: Path
) -> None:
    (tmp_path / "corepool.toml").write_text(f"""
[pool]
wrokers = 1
[control]
socket = "{tmp_path}/mine.sock"
[[listener]]
name = "echo"
bind = ["tcp://127.0.0.1:0"]
protocol = "echo"
""")

    about = {"name": "mine", "pid": 41, "configuration": str(tmp_path / "corepool.toml")}
    answer = reply(ok=True, pool=about, result=STATUS)
    with pool_that_answers(tmp_path / "mine.sock", answer, answer):
        done = corepool("status", "--json")

    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_control_socket_in_the_configuration_is_a_mistake(corepool: Corepool, tmp_path: Path) -> None:
    (tmp_path / "corepool.toml").write_text("[control]\nsocket = 3\n")

    done = corepool("status")

    assert done.returncode == 2
    assert "control.socket = 3: expected text in quotes" in done.stderr


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(ok=False, error="not now"), "the pool at c.sock refused: not now"),
        (b"", "the process listening at c.sock is not corepool; it answered: b''"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the process listening at c.sock is not corepool"),
        (b"\xff\n", "the process listening at c.sock is not corepool"),
        (b"[]\n", "the process listening at c.sock is not corepool"),
        (b"[" * 100_000 + b"\n", "the process listening at c.sock is not corepool"),
    ],
)
def test_an_answer_that_is_none_is_told_in_words(corepool: Corepool, tmp_path: Path, answer: bytes, words: str) -> None:
    with pool_that_answers(tmp_path / "c.sock", answer):
        done = corepool("status", "--control", "c.sock")

    assert done.returncode == 1
    assert words in done.stderr


def test_a_path_too_long_for_a_socket_is_told_in_words(corepool: Corepool) -> None:
    done = corepool("status", "--control", "x" * 200)

    assert done.returncode == 1
    assert "path too long" in done.stderr


@pytest.mark.parametrize("stderr", ["closed", "a full pipe"])
def test_standard_error_that_takes_nothing_does_not_keep_a_command_from_ending(
    tmp_path: Path, environment: dict[str, str], stderr: str
) -> None:
    reader, writer = os.pipe()
    os.write(writer, bytes(fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)))
    before = "import os, sys; os.close(2); " if stderr == "closed" else "import os, sys; "
    script = before + "os.execv(sys.executable, [sys.executable, '-m', 'corepool', 'status'])"
    try:
        done = subprocess.run(  # noqa: S603 - the script is above
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env=environment,
            stderr=writer,
            timeout=DEADLINE_S,
            check=False,
        )
    finally:
        os.close(reader)
        os.close(writer)

    assert done.returncode == 1


@pytest.mark.parametrize(
    ("state", "wanted", "line", "exit_status"),
    [
        ("ready", 1, "ready: 1 of 1 workers are ready", 0),
        ("ready", 2, "ready: 1 of 2 workers are ready", 1),
        ("stopping", 1, "stopping: 1 of 1 workers are ready", 1),
    ],
)
def test_a_pool_is_ready_when_all_its_workers_are(
    corepool: Corepool, tmp_path: Path, state: str, wanted: int, line: str, exit_status: int
) -> None:
    starting = {**STATUS["workers"][0], "slot": 1, "state": "starting"}
    status = {**STATUS, "state": state, "wanted": wanted, "workers": [*STATUS["workers"], starting]}
    with pool_that_answers(tmp_path / "c.sock", reply(ok=True, result=status)):
        done = corepool("status", "--check", "--control", "c.sock")

    assert (done.stdout, done.returncode) == (f"pool at c.sock: {line}\n", exit_status)


def test_a_failed_reload_has_a_line_and_an_exit_status_without_terminal_codes(
    corepool: Corepool, tmp_path: Path
) -> None:
    failure = {"at": 1.7e9, "reason": "two\nlines \x1b]0;x\x07 ü", "file": "", "line": 0, "kept": 1}
    status = {**STATUS, "reload": {**STATUS["reload"], "state": "failed", "failure": failure}}
    with pool_that_answers(tmp_path / "c.sock", reply(ok=True, result=status)):
        done = corepool("status", "--check", "--control", "c.sock")

    assert done.returncode == 4
    assert done.stdout.endswith(": two\\nlines \\x1b]0;x\\x07 ü; workers kept: 1\n")


def test_a_long_answer_is_read_whole(corepool: Corepool, tmp_path: Path) -> None:
    """That of 512 workers has 150 KB."""
    status = {**STATUS, "workers": [{**STATUS["workers"][0], "slot": slot} for slot in range(2000)]}
    answer = reply(ok=True, result=status)
    assert len(answer) > 3 * 65_536
    with pool_that_answers(tmp_path / "c.sock", answer):
        done = corepool("status", "--json", "--control", "c.sock")

    assert json.loads(done.stdout) == status


def test_what_a_pool_says_commands_no_terminal(corepool: Corepool, tmp_path: Path) -> None:
    with pool_that_answers(tmp_path / "c.sock", reply(ok=False, error="two\nlines \x1b]0;x\x07 ü")):
        done = corepool("status", "--control", "c.sock")

    assert done.stderr == "corepool: the pool at c.sock refused: two\nlines \\x1b]0;x\\x07 ü\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to be somebody else")
@pytest.mark.parametrize(
    ("theirs", "ours", "is_trusted"),
    [(54_322, 54_321, False), (54_321, 54_321, True), (0, 54_321, True), (54_322, 0, True)],
)
def test_only_our_own_pools_and_roots_are_asked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    theirs: int,
    ours: int,
    is_trusted: bool,  # noqa: FBT001
) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "c.sock"))
        os.seteuid(theirs)
        try:
            listening.listen()  # whose it is now is what the kernel tells a client
        finally:
            os.seteuid(0)
        monkeypatch.setattr(os, "geteuid", lambda: ours)
        if is_trusted:
            assert pid_of_master(tmp_path / "c.sock") == os.getpid()
        else:
            with pytest.raises(ControlError, match="is user 54322's, and neither ours nor root's"):
                pid_of_master(tmp_path / "c.sock")
