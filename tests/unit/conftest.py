"""Tests here start no process: they need none, and take seconds."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True, scope="module")
def no_process() -> Iterator[None]:
    """Fail a test that starts a process; one that has to belongs in process/."""

    def refuse(*_: object, **__: object) -> NoReturn:
        pytest.fail("a unit test starts a process: move it to tests/process/")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fork", refuse)
        patch.setattr(subprocess, "Popen", refuse)
        yield
