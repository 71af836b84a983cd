"""A pool's place in the run-time folder: its name in each answer, and the link to a control socket elsewhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corepool.config.runtime import Place
from corepool.errors import ControlError, ControlSocketTakenError
from corepool.master.control import ControlSocket

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
