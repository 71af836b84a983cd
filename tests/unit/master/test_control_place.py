"""A pool's place in the run-time folder: its name in each answer, and the link to a control socket elsewhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corepool.config.runtime import Origin, Place
from corepool.config.settings import ControlSettings, ListenerSettings, Settings
from corepool.errors import ControlError, ControlSocketTakenError
from corepool.launch.controlling import open_control, warn_of_other_name
from corepool.master.control import ControlSocket
from corepool.master.inheritance import place_told

if TYPE_CHECKING:
    from collections.abc import Mapping


def place_in(folder: Path, name: str = "shop") -> Place:
    return Place(name, folder / "run" / f"{name}.sock", Path("/srv/shop/corepool.toml"))


def answer(control: ControlSocket, request: Mapping[str, object]) -> dict[str, object]:
    reply: dict[str, object] = json.loads(control.answer(json.dumps(request).encode()))
    return reply


def test_each_answer_names_the_pool(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    control = ControlSocket(place.path, {"status": lambda _: {}}, place)
    about = {"name": "shop", "pid": os.getpid(), "configuration": "/srv/shop/corepool.toml"}

    assert answer(control, {"command": "status"}) == {"ok": True, "result": {}, "pool": about}
    assert answer(control, {"command": "stats"})["pool"] == about
    assert answer(control, {"command": "status", "to": os.getpid()})["ok"] is True


@pytest.mark.parametrize("to", [1, "1", None, [1]])
def test_a_command_for_another_master_is_not_carried_out(tmp_path: Path, to: object) -> None:
    place, done = place_in(tmp_path), []
    control = ControlSocket(place.path, {"stop": done.append}, place)

    assert answer(control, {"command": "stop", "to": to})["ok"] is False
    assert done == []


def test_a_link_leads_to_the_socket_and_goes_with_it(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    control = ControlSocket(tmp_path / "c.sock", {}, place)
    control.listen()
    control.link(place)

    assert place.path.readlink() == tmp_path / "c.sock"
    assert place.path.parent.stat().st_mode & 0o777 == 0o700
    control.close()
    assert not os.path.lexists(place.path)


def leave_as_if_killed(control: ControlSocket) -> None:
    """Close its socket, and leave the files."""
    assert control._socket is not None  # noqa: SLF001
    control._socket.close()  # noqa: SLF001


def test_no_link_is_made_in_a_folder_that_others_may_write_to(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    place.path.parent.mkdir()
    place.path.parent.chmod(0o777)
    with pytest.raises(ControlError, match="can be written by others"):
        ControlSocket(tmp_path / "c.sock", {}, place).link(place)
    assert not any(place.path.parent.iterdir())


@pytest.mark.parametrize("is_linked", [True, False])
def test_a_living_pool_keeps_its_place_and_a_dead_ones_is_taken(tmp_path: Path, is_linked: bool) -> None:  # noqa: FBT001
    place = place_in(tmp_path)
    path = tmp_path / "c.sock" if is_linked else place.path
    living = ControlSocket(path, {}, place)
    living.listen()
    if is_linked:
        living.link(place)

    other = ControlSocket(tmp_path / "d.sock", {}, place)
    other.listen()
    with pytest.raises(FileExistsError if is_linked else OSError):
        other.link(place)
    with pytest.raises(ControlSocketTakenError):
        ControlSocket(place.path, {}, place).listen()
    leave_as_if_killed(living)
    other.link(place)

    assert place.path.readlink() == tmp_path / "d.sock"
    other.close()


def test_a_new_master_takes_over_socket_and_link_and_the_old_one_leaves_them(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    old = ControlSocket(tmp_path / "c.sock", {}, place)
    old.listen()
    old.link(place)
    for path in (tmp_path / "c.sock", tmp_path / "d.sock", place.path):  # the same, another, and none any more
        new = ControlSocket(path, {}, place)
        new.listen(beside=True)
        new.take_place()
        old.close()
        assert path.is_socket()
        assert place.path.resolve() == path
        assert sorted(each.name for each in tmp_path.rglob("*.sock*")) == sorted({path.name, place.path.name})
        old = new
    old.close()
    assert not any(place.path.parent.iterdir())


def test_a_new_master_makes_no_link_in_a_folder_that_the_start_would_refuse(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    old = ControlSocket(tmp_path / "c.sock", {}, place)
    old.listen()
    old.link(place)
    old_link = place.path.lstat().st_ino
    place.path.parent.chmod(0o777)
    new = ControlSocket(tmp_path / "c.sock", {}, place)
    new.listen(beside=True)
    new.take_place()
    assert place.path.lstat().st_ino == old_link
    old.close()
    new.close()


def opened(place: Place | None, socket: Path | None, *, is_upgrade: bool = False) -> tuple[ControlSocket, Place]:
    """Open the control socket of a pool `shop`."""
    listener = ListenerSettings(name="echo", bind=["tcp://127.0.0.1:0"], protocol="echo")
    control = ControlSettings(socket=None if socket is None else str(socket))
    settings = Settings(listener=[listener], control=control)
    return open_control(settings, Origin("shop"), {}, place, is_upgrade=is_upgrade)


@pytest.mark.parametrize("elsewhere", [True, False])
def test_an_upgrade_leaves_the_path_that_its_pool_did_not_get_to_the_pool_that_has_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    elsewhere: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = tmp_path / "corepool"
    folder.mkdir()
    folder.chmod(0o777)
    path = tmp_path / "c.sock" if elsewhere else None
    old, place = opened(None, path)
    assert (place.name, place.is_listed) == ("shop", False)
    folder.chmod(0o700)
    other = ControlSocket(folder / "shop.sock", {}, Place("shop", folder / "shop.sock"))
    other.listen()
    inode = (folder / "shop.sock").lstat().st_ino

    new, place = opened(place_told(place.tell()), path, is_upgrade=True)
    new.take_place()

    assert (folder / "shop.sock").lstat().st_ino == inode
    assert (place.name, place.is_listed) == (f"shop-{os.getpid()}", True), "its own is free"
    assert place.path.is_socket()
    for each in (old, new, other):
        each.close()
    assert not any(folder.iterdir())


@pytest.mark.parametrize(
    ("has", "wanted", "configured", "warns"),
    [
        ("shop", "shop", "shop", False),
        ("shop-3f2a", "shop", "shop", False),
        ("shop-3f2a", "shop", "shop-3f2a", False),
        ("shop-test", "shop-test", "shop", True),
        ("shop", "shop", "shop-test", True),
    ],
)
def test_a_file_with_another_name_for_the_pool_is_warned_of(
    caplog: pytest.LogCaptureFixture,
    has: str,
    wanted: str,
    configured: str,
    warns: bool,  # noqa: FBT001
) -> None:
    listener = ListenerSettings(name="echo", bind=["tcp://127.0.0.1:0"], protocol="echo")
    with caplog.at_level("WARNING"):
        warn_of_other_name(Settings(listener=[listener]), Origin(configured), Place(has, Path("/x"), wanted=wanted))
    assert bool(caplog.records) == warns
