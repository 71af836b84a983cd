"""docs/extensions.md is true: its options, its reasons, its lines and its configuration."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corepool import Address, CloseReason
from corepool_extensions.access import AccessOptions
from corepool_extensions.access_log import AccessLogOptions, Ended, as_json, as_text
from corepool_extensions.limits import LimitsOptions

if TYPE_CHECKING:
    from corepool import Options

TEXT = (Path(__file__).parents[2] / "docs" / "extensions.md").read_text()


def first_column(heading: str) -> list[str]:
    """List what stands in the first column of the tables of a section."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)`", section, re.MULTILINE)


@pytest.mark.parametrize(("name", "model"), [("access", AccessOptions), ("limits", LimitsOptions)])
def test_every_option_is_described(name: str, model: type[Options]) -> None:
    assert first_column(name) == list(model.model_fields)


def test_every_option_and_every_reason_of_the_log_is_described() -> None:
    described = first_column("accesslog")
    options = list(AccessLogOptions.model_fields)

    assert described[: len(options)] == options
    assert sorted(described[len(options) :]) == sorted(CloseReason)


def test_the_lines_are_written_so() -> None:
    ended = Ended(1769860800, Address("203.0.113.7", 50112), "cache", "kv", 0.012345, 34, 5, CloseReason.EOF)

    assert as_text(ended) in TEXT
    assert as_json(ended) in TEXT


def test_the_configuration_has_no_mistake(tmp_path: Path) -> None:
    (configuration,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    configuration = configuration.replace("/var/log/corepool/", f"{tmp_path}/")  # of the reader's system
    (tmp_path / "corepool.toml").write_text(configuration)
    command = [sys.executable, "-m", "corepool", "check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603

    assert done.returncode == 0, done.stderr
