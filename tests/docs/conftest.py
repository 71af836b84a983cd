"""Fixtures of the tests of the documentation."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from walkthrough import Walkthrough

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def reader() -> Iterator[Walkthrough]:
    """Return a reader who does what a page says, in a folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="corepool-") as folder, Walkthrough(Path(folder)) as somebody:
        yield somebody
