"""The names of pools, and the places of their control sockets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool.config import runtime as runtime_module
from corepool.config.load import read_draft
from corepool.config.runtime import (
    MAX_CONTROL_PATH_BYTES,
    control_socket_path,
    names_for,
    origin_of_file,
    origin_of_flags,
    place_of,
    runtime_folder,
    runtime_folders,
    wanted_name,
)

ECHO = """
[[listener]]
name = "echo"
bind = ["tcp://127.0.0.1:0"]
protocol = "echo"
"""
TWO_POOLS = f"""
[[pool]]
name = "a"
[[pool]]
name = "b"
{ECHO}pool = "a"
{ECHO.replace('"echo"', '"other"', 1)}pool = "b"
"""


def of_file(folder: Path, toml: str, name: str = "corepool.toml") -> tuple[str, str]:
    """Return the name that a configuration gets, and the path of its control socket."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(toml)
    draft = read_draft(folder / name)
    settings = draft.finish()
    return wanted_name(settings, draft.started_from), str(control_socket_path(settings, draft.started_from))


@pytest.mark.parametrize(
    ("toml", "name", "expected"),
    [
        (ECHO, "corepool.toml", "shop"),
        (ECHO, "test.toml", "shop-test"),
        ('[pool]\nname = "web"\n' + ECHO, "corepool.toml", "web"),
        ('[[pool]]\nname = "web"\n' + ECHO, "corepool.toml", "web"),
        ('[pool]\nname = "web"\n[process]\nname = "all"\n' + ECHO, "corepool.toml", "all"),
        (
            '[[pool]]\nname = "a"\n[[pool]]\nname = "b"\n'
            + ECHO
            + 'pool = "a"\n'
            + ECHO.replace('"e', '"f')
            + 'pool="b"',
            "corepool.toml",
            "shop",
        ),
    ],
)
def test_a_pool_is_called_as_its_configuration_says_or_after_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, name: str, expected: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert of_file(tmp_path / "shop", toml, name) == (expected, f"/run/user/7/corepool/{expected}.sock")


def test_the_control_socket_is_where_the_configuration_says(tmp_path: Path) -> None:
    assert of_file(tmp_path / "shop", f'[control]\nsocket = "/x/y"\n{ECHO}') == ("shop", "/x/y")


@pytest.mark.parametrize(
    ("protocol", "bind", "expected"),
    [
        ("http", ["tcp://127.0.0.1:8000", "tcp://[::1]:8000"], "http-127.0.0.1:8000"),
        ("echo", ["unix:///run/x.sock?mode=0660"], "echo-run/x.sock"),
        ("kv", ["unix:@store"], "kv-@store"),
        ("kv", [], "kv"),
    ],
)
def test_a_pool_of_serve_is_called_after_protocol_and_address(protocol: str, bind: list[str], expected: str) -> None:
    assert origin_of_flags(protocol, bind).name == expected


@pytest.mark.parametrize(
    ("runtime", "uid", "path"),
    [
        ("/run/user/7", 7, "/run/user/7/corepool/shop.sock"),
        ("/run/user/0", 0, "/run/user/0/corepool/shop.sock"),
        ("", 0, "/run/corepool/shop.sock"),
        ("relative", 0, "/run/corepool/shop.sock"),
        ("", 7, "/temporary/corepool-7/shop.sock"),
    ],
)
def test_the_control_socket_is_the_users_own_by_default(
    monkeypatch: pytest.MonkeyPatch, runtime: str, uid: int, path: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    monkeypatch.setattr(runtime_module, "_TEMPORARY", Path("/temporary"))
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    monkeypatch.setattr(os, "geteuid", lambda: uid)

    assert str(place_of("shop", None).path) == path


def test_commands_look_where_a_users_pools_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pools of cron are found from a login shell; a folder that was chosen on purpose is the only one."""
    monkeypatch.setattr(runtime_module, "_TEMPORARY", tmp_path)
    own = tmp_path / f"corepool-{os.geteuid()}"
    own.mkdir(mode=0o700)
    for runtime, expected in (("", True), (f"/run/user/{os.geteuid()}", True), (str(tmp_path / "chosen"), False)):
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        folders = runtime_folders()
        assert folders[0] == place_of("shop", None).path.parent
        assert (own in folders) == expected
        assert expected or len(folders) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to give folders away")
def test_root_looks_into_the_folders_of_all_users_but_not_into_those_of_others_in_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_module, "_TEMPORARY", tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    for name, owner in (("corepool-7", 7), ("corepool-8", 9), ("corepool-x", 7)):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, owner, -1)
    (tmp_path / "corepool-10").symlink_to("corepool-7")
    assert [each.name for each in runtime_folders() if each.parent == tmp_path] == ["corepool-7"]

    monkeypatch.setattr(os, "geteuid", lambda: 7)
    assert [each.name for each in runtime_folders() if each.parent == tmp_path] == ["corepool-7"]


def test_a_service_has_a_folder_that_is_not_roots_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unit's RuntimeDirectory is seen by its own user and root, and the folder in the way of no command."""
    monkeypatch.setattr(runtime_module, "_RUN", tmp_path)
    monkeypatch.setattr(runtime_module, "_TEMPORARY", tmp_path / "tmp")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    (tmp_path / "corepool-service").mkdir(mode=0o755)

    assert tmp_path / "corepool-service" in runtime_folders()
    unit = (Path(__file__).parents[3] / "deploy/corepool.service").read_text()
    [named] = [line.partition("=")[2] for line in unit.splitlines() if line.startswith("RuntimeDirectory=")]
    assert named == "corepool-service"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert runtime_folder() != tmp_path / named
    assert tmp_path / named in runtime_folders()


@given(wanted=st.text(max_size=300), folder=st.integers(0, 90))
def test_any_name_is_that_of_a_file_which_a_socket_can_have(wanted: str, folder: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", "/" + "x" * folder)
        names = names_for(wanted, Path("/srv/shop/corepool.toml"))
        assert len(set(names)) == 3
        for name in names:
            path = os.fsencode(place_of(name, None).path)
            assert path.count(b"/") == (3 if folder else 2)
            assert not name.startswith((".", "-"))
            assert name.isprintable()
            assert " " not in name
            assert len(path) <= MAX_CONTROL_PATH_BYTES or folder > 70


def test_the_second_of_a_name_depends_on_the_configuration_alone() -> None:
    one, other = (names_for("shop", Path(path)) for path in ("/a/shop/corepool.toml", "/b/shop/corepool.toml"))

    assert one[0] == other[0] == "shop"
    assert one[1] != other[1]
    assert one[1] == names_for("shop", Path("/a/shop/corepool.toml"))[1]


def test_a_link_to_the_current_release_stays_the_name_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "release-5").mkdir()
    (tmp_path / "current").symlink_to("release-5")

    assert origin_of_file(tmp_path / "current" / "corepool.toml") == ("current", tmp_path / "current/corepool.toml")
