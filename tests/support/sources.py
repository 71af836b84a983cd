"""Plugins, applications and programs that tests run: files beside this one, which tools read like any other code."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent


def source(path: str) -> str:
    """Return the text of a file in plugins/, served/ or programs/, to be written into a pool's folder or run."""
    return (_FOLDER / path).read_text()


def metadata(name: str, entry_points: str) -> dict[str, str]:
    """Return the files that make a folder's module known as an installed distribution; they lie beside the module."""
    return {
        f"{name}-1.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        f"{name}-1.dist-info/entry_points.txt": entry_points,
    }
