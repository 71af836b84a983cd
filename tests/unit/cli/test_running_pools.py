"""The pools that a command sees: never a socket to which another user's link leads."""

from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest

from corepool.cli.client import About
from corepool.cli.pools import SOCKET_VARIABLE, Running, _may_claim, pool_of, running_pools
from corepool.cli.ps import ps
from corepool.config import runtime
from corepool.config.runtime import Place
from corepool.errors import ControlError
from corepool.master.control import ControlSocket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


ECHO = '[[listener]]\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "echo"\n'


@contextmanager
def master(
    path: Path, configuration: str | None = None, *, name: str = "shop", result: object = None
) -> Iterator[list[bytes]]:
    """Stand in for a master, which is asked once at most. Yields what it was asked."""
    asked: list[bytes] = []
    about = {"name": name, "pid": 7, "configuration": configuration}
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            with listening.accept()[0] as client:
                asked.append(client.recv(1000))
                with suppress(OSError):  # it only looked whose socket this is
                    client.sendall(json.dumps({"ok": True, "pool": about, "result": result or {}}).encode() + b"\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        with socket.socket(socket.AF_UNIX) as last:  # one that was not asked waits
            last.connect(str(path))
            last.shutdown(socket.SHUT_WR)
            thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = tmp_path / "corepool"
    folder.mkdir(mode=0o700)
    return folder


def test_a_pool_is_found_once_however_many_links_lead_to_it(folder: Path) -> None:
    with master(folder / "shop.sock"):
        (folder / "other.sock").symlink_to("shop.sock")
        assert [each.about.name for each in running_pools()] == ["shop"]


def test_sockets_and_links_without_a_pool_are_removed_and_nothing_else(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "left.sock"))
    (folder / "link.sock").symlink_to("left.sock")
    (folder / "away.sock").symlink_to("nowhere")
    (folder / "notes.sock").write_text("")
    (folder / "notes.txt").write_text("")

    assert running_pools() == []
    kept = ["away.sock", "notes.sock", "notes.txt"]
    assert sorted(each.name for each in folder.iterdir()) == kept, "away.sock may lead to a pool in another namespace"


def test_a_link_whose_end_is_not_seen_from_here_goes_when_a_pool_wants_its_name(folder: Path) -> None:
    place = Place("away", folder / "away.sock")
    place.path.symlink_to("nowhere")
    assert running_pools() == []

    control = ControlSocket(place.path, {}, place)
    control.listen()

    assert place.path.is_socket()
    control.close()


def test_a_folder_that_is_not_ours_alone_hides_no_pool_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    monkeypatch.delenv(SOCKET_VARIABLE, raising=False)
    monkeypatch.setattr(runtime, "_RUN", tmp_path)
    monkeypatch.setattr(runtime, "_TEMPORARY", tmp_path)
    own = runtime.runtime_folder()
    own.mkdir()
    own.chmod(0o777)
    service = tmp_path / "corepool-service"
    service.mkdir(mode=0o755)
    with pytest.raises(ControlError, match="can be written by others"):
        pool_of(None, None)
    with master(service / "control.sock"):
        assert str(pool_of(None, None)) == "shop (pid 7, no configuration)"


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to give a folder away")
def test_a_link_in_the_folder_of_another_user_leads_to_no_other_users_socket(folder: Path) -> None:
    os.chown(folder, 54_321, -1)
    with master(folder.parent / "root.sock") as asked:
        (folder / "trap.sock").symlink_to("../root.sock")
        (folder / "left.sock").symlink_to("nowhere")
        assert running_pools() == []
    assert asked in ([], [b""]), "nothing was sent to it"
    assert (folder / "left.sock").is_symlink(), "it is not ours to remove"


ODD = (
    {"listeners": [{"nam": 1}]},
    {"listeners": 7},
    {"listeners": [{"name": "a", "bind": [1]}]},
    {"uptime": "1"},
    {"uptime": float("nan")},
    {"uptime": 10**400},
    {"state": []},
)


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_an_answer_that_is_no_status_is_no_answer(
    folder: Path, capsys: pytest.CaptureFixture[str], odd: dict[str, object]
) -> None:
    for as_json in (False, True):
        with master(folder / "shop.sock", result=odd):
            ps(as_json=as_json)
        (folder / "shop.sock").unlink()
        shown = capsys.readouterr().out
        assert "shop" in shown
        assert "no answer" in shown


def test_no_code_of_a_pool_reaches_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "a\x1b[2J\nb"
    status = {"state": code, "uptime": 1, "listeners": [{"name": code, "bind": [code]}]}
    with (
        master(folder / "one.sock", code, name=code, result=status),
        master(folder / f"{code}.sock", result={"state": []}),
    ):
        ps(wide=True)
    assert capsys.readouterr().out.count("a\\x1b[2J\\nb") == 5


def test_one_that_does_not_answer_is_named_and_not_called_several(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(SOCKET_VARIABLE, raising=False)
    with master(folder / "shop.sock", result={"state": []}), pytest.raises(ControlError) as refused:
        pool_of(None, None)
    silent = f"no answer from the pool shop (pid {os.getpid()}): it is stopped or stuck"
    assert str(refused.value) == silent
    (folder / "shop.sock").unlink()
    (tmp_path / "corepool.toml").write_text(ECHO)
    with master(folder / "shop.sock", result={"state": []}), pytest.raises(ControlError) as refused:
        pool_of(None, None)
    assert f"{silent}, and may have been started from corepool.toml" in str(refused.value)


@pytest.mark.parametrize(("uid", "made_by_root", "may"), [(7, False, False), (7, True, True), (8, False, True)])
def test_another_users_pool_can_not_claim_a_file(tmp_path: Path, uid: int, made_by_root: bool, may: bool) -> None:  # noqa: FBT001
    class Stat(NamedTuple):
        st_uid: int
        st_mode: int

    class Played(type(tmp_path)):  # type: ignore[misc]
        """A path of an owner and mode that only root could give it."""

        def stat(self, **_: object) -> Stat:
            return Stat(8, 0o644) if self.name == "corepool.toml" else Stat(0, 0o755 if made_by_root else 0o1777)

    running = Running(Played("/x/corepool-7/shop.sock"), About("shop", 7, None), uid, {})
    assert _may_claim(running, Played("/srv/corepool.toml")) is may
