"""Plugins, applications and programs that tests run: files beside this one, which tools read like any other code."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent


def source(path: str) -> str:
    """Return the text of a file in plugins/, served/ or programs/, to be written into a pool's folder or run."""
    return (_FOLDER / path).read_text()
