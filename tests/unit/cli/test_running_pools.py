"""The pools that a command sees: never a socket to which another user's link leads."""

from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from corepool.cli.pools import SOCKET_VARIABLE, pool_of, running_pools
from corepool.config import runtime
from corepool.config.runtime import Place
from corepool.errors import ControlError
from corepool.master.control import ControlSocket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def master(path: Path) -> Iterator[list[bytes]]:
    """Stand in for a master, which is asked once at most. Yields what it was asked."""
    asked: list[bytes] = []
    about = {"name": "shop", "pid": 7, "configuration": None}
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            with listening.accept()[0] as client:
                asked.append(client.recv(1000))
                with suppress(OSError):  # it only looked whose socket this is
                    client.sendall(json.dumps({"ok": True, "pool": about, "result": {}}).encode() + b"\n")

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
