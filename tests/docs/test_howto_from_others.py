"""The pages that come from other servers name flags which those servers have."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from documents import DOCS

SERVERS = {"granian": "granian", "hypercorn": "hypercorn", "uwsgi": "uwsgi", "waitress": "waitress-serve"}
"""The page's name, and the program. The extra `test` has all but uWSGI."""


def flags_of(program: Path) -> set[str]:
    described = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout  # noqa: S603 - of the test extra
    # Waitress writes `--[no-]ipv4`.
    described += re.sub(r"--\[no-\]", "--", described) + re.sub(r"--\[no-\]", "--no-", described)
    return set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", described))


def named_in(page: str) -> set[str]:
    rows = re.findall(r"^\| (.*?) \|", page, re.MULTILINE)
    return {flag for row in rows for flag in re.findall(r"`(--?[a-zA-Z][\w-]*)`", row)}


@pytest.mark.parametrize("name", SERVERS)
def test_flags_of_other_servers_exist(name: str) -> None:
    program = Path(sys.executable).with_name(SERVERS[name])
    if name == "uwsgi" and not program.exists():
        pytest.skip("uWSGI has to be compiled: pip install uwsgi")
    named = named_in((DOCS / "howto" / f"from-{name}.md").read_text())

    assert len(named) > 10
    assert named - flags_of(program) == set()


def test_a_flag_that_does_not_exist_would_be_found() -> None:
    assert named_in("| `--bind`, `-b`, `[[listener]] bind` | `--elsewhere` |\n| --- |") == {"--bind", "-b"}
