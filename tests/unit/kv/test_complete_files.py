"""Files of `corepool kv dump` appear when they are complete, also where a file system has no links."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from corepool_kv.operating.files import complete_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_links_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    file = tmp_path / "dump"
    with complete_file(file, replaces=False) as descriptor:
        os.write(descriptor, b"content")
        assert not file.exists()
    assert file.read_bytes() == b"content"
    with pytest.raises(FileExistsError), complete_file(tmp_path / "later", replaces=False):
        (tmp_path / "later").write_bytes(b"mine")
    assert (tmp_path / "later").read_bytes() == b"mine"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["dump", "later"]


def test_a_file_that_can_not_take_its_name_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(PermissionError), complete_file(tmp_path / "dump", replaces=False):
        pass
    assert not list(tmp_path.iterdir())
