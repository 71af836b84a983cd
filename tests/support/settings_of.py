"""The settings of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.config.load import read_draft

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.config.load import Overrides
    from corepool.config.settings import Settings


def load_settings(path: Path, overrides: Overrides | None = None) -> Settings:
    """Read a file that must be right as far as this can be told without plugins.

    :raises ConfigError: with every mistake.
    """
    return read_draft(path, overrides).finish()
