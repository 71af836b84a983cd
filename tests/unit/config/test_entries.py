"""Entry points are found as importlib.metadata finds them."""

from __future__ import annotations

import zipfile
from importlib.metadata import distributions, entry_points
from typing import TYPE_CHECKING

import pytest

from corepool.errors import PluginError
from corepool.plugins.entries import EntryOfFile, entries_of

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
# a comment
[console_scripts]
x = x:main

[corepool.protocols]
one = a_module:One
two=a_module.part:Two.Inner [extra]
"""


def distribution(folder: Path, name: str, text: str, suffix: str = ".dist-info") -> None:
    metadata = folder / f"{name}{suffix}"
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


def told(found: object) -> list[tuple[str, str, str]]:
    assert isinstance(found, list)
    return sorted((each.group, each.name, each.value) for each in found)


def told_by_importlib(folder: Path) -> list[tuple[str, str, str]]:
    every = [entry for each in distributions(path=[str(folder)]) for entry in each.entry_points]
    return sorted((each.group, each.name, each.value) for each in every if each.group.startswith("corepool."))


@pytest.mark.parametrize(
    "text",
    [
        "[ corepool.protocols ]\none = a:One\n",
        "[[corepool.protocols]]\none = a:One\n",
        "[corepool.protocols]\none = a b:One\n",
        "one = a:One\n[corepool.protocols]\ntwo = a:Two\n",
        "[corepool.protocols]\n  one=a:One.Inner  [extra]\n\n# two = a:Two\n[corepool.scalers]\nthree = a\n",
        "[corepool.protocols] # mine\n= a:One\n",
        "\ufeff[corepool.protocols]\none = a:One\n",
    ],
)
def test_an_odd_file_is_read_as_importlib_reads_it(text: str, tmp_path: Path) -> None:
    distribution(tmp_path, "odd-1", text)
    try:
        expected = told_by_importlib(tmp_path)
    except TypeError:
        with pytest.raises(PluginError, match=r"^entry_points\.txt of distribution 'odd' is malformed: "):
            entries_of("corepool.", [str(tmp_path)])
    else:
        assert told(entries_of("corepool.", [str(tmp_path)])) == expected


@pytest.mark.parametrize("data", [b"[corepool.protocols]\none\n", b"[corepool.protocols]\n\xff = a:One\n"])
def test_a_malformed_file_is_a_mistake_that_names_it_if_it_is_about_plugins(data: bytes, tmp_path: Path) -> None:
    distribution(tmp_path, "good-1", FILE)
    distribution(tmp_path, "bad-1", "")
    file = tmp_path / "bad-1.dist-info" / "entry_points.txt"
    file.write_bytes(data)
    with pytest.raises(PluginError, match=r"^entry_points\.txt of distribution 'bad' is malformed: "):
        entries_of("corepool.", [str(tmp_path)])

    file.write_bytes(data.replace(b"corepool.", b"other."))
    assert len(told(entries_of("corepool.", [str(tmp_path)]))) == 2


def test_a_folder_that_is_an_egg_is_looked_into(tmp_path: Path) -> None:
    egg = tmp_path / "laid-1.0-py3.egg"
    distribution(egg, "EGG", FILE, "-INFO")
    (egg / "EGG-INFO" / "METADATA").rename(egg / "EGG-INFO" / "PKG-INFO")

    found = entries_of("corepool.", [str(egg)])

    assert {each.name for each in found} == {"one", "two"}
    assert {each.dist.name for each in found if each.dist} == {"EGG"}


def test_of_two_kinds_of_metadata_that_of_importlib_counts(tmp_path: Path) -> None:
    distribution(tmp_path, "twice-1", FILE)
    distribution(tmp_path, "twice-2", FILE.replace("one", "other"), ".egg-info")
    (first, *_) = distributions(path=[str(tmp_path)])

    found = entries_of("corepool.", [str(tmp_path)])

    assert told(found) == sorted(
        (each.group, each.name, each.value) for each in first.entry_points if each.group.startswith("corepool.")
    )
    assert not any(isinstance(each, EntryOfFile) for each in found)
