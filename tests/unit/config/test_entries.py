"""Entry points are found as importlib.metadata finds them."""

from __future__ import annotations

import zipfile
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from corepool.plugins.entries import entries_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FILE = """
# a comment
[console_scripts]
x = x:main

[corepool.protocols]
one = a_module:One
two=a_module.part:Two.Inner [extra]
"""


def distribution(folder: Path, name: str, text: str) -> None:
    metadata = folder / f"{name}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.partition('-')[0]}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(text)


def test_those_of_this_environment_are_the_same() -> None:
    told = {
        (each.group, each.name, each.value)
        for group in entry_points().groups
        if group.startswith("corepool.")
        for each in entry_points(group=group)
    }

    assert {(each.group, each.name, each.value) for each in entries_of("corepool.")} == told
    assert told


def test_a_distribution_hides_another_of_its_name_behind_it(tmp_path: Path) -> None:
    distribution(tmp_path / "first", "A_Plugin-2.0", FILE)
    distribution(tmp_path / "second", "a.plugin-1.0", FILE.replace("one", "old"))
    distribution(tmp_path / "second", "other-1.0", FILE.replace("one", "three"))

    found = entries_of("corepool.", [str(tmp_path / "missing"), str(tmp_path / "first"), str(tmp_path / "second")])

    assert [(each.group, each.name) for each in found] == [
        ("corepool.protocols", name) for name in ("one", "two", "three", "two")
    ]
    assert {each.dist.name for each in found if each.dist} == {"A_Plugin", "other"}


def test_an_entry_is_imported_with_its_attributes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(tmp_path, "a-1", FILE)
    (tmp_path / "a_module").mkdir()
    (tmp_path / "a_module" / "__init__.py").write_text("class One: ...\n")
    (tmp_path / "a_module" / "part.py").write_text("class Two:\n    class Inner: ...\n")
    monkeypatch.syspath_prepend(tmp_path)

    one, two = entries_of("corepool.", [str(tmp_path)])

    assert getattr(one.load(), "__qualname__", "") == "One"
    assert getattr(two.load(), "__qualname__", "") == "Two.Inner"


def test_those_in_a_zip_file_are_found_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as packed:
        packed.writestr("packed-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: packed\nVersion: 1.0\n")
        packed.writestr("packed-1.0.dist-info/entry_points.txt", FILE)
    monkeypatch.syspath_prepend(tmp_path / "packed.zip")

    assert "a_module:One" in {each.value for each in entries_of("corepool.")}
