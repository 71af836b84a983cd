"""Tests wait for what a pool prints: a machine that is busy prints it later than it answers clients."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hasty import hasty_asserts, makers_of_pools

ROOT = Path(__file__).parents[2]


def test_no_test_looks_for_what_a_running_pool_may_not_have_printed_yet() -> None:
    texts = {path: path.read_text() for path in (ROOT / "tests").rglob("*.py")}
    modules = {path: ast.parse(text) for path, text in texts.items() if re.search(r"PoolProcess|\.std(out|err)", text)}
    makers = makers_of_pools(modules.values())

    found = [
        f"{path.relative_to(ROOT)}:{line}" for path, module in modules.items() for line in hasty_asserts(module, makers)
    ]

    assert found == [], "use `wait_logged` or `wait_until`, or let the pool end before"


@pytest.mark.parametrize(
    ("body", "is_hasty"),
    [
        ("running = pool(TOML); assert 'text' in running.stderr", True),
        ("running = pool.serve('echo'); assert f'{pid} left' in running.stdout", True),
        ("running = start(pool); assert 'text' in running.stderr[began:]", True),
        ("running = start(pool); assert re.search('text', running.stderr)", True),
        ("running = start(pool); running.wait_logged('one'); assert 'other' in running.stderr", True),
        ("assert 'text' in given.stderr", True),
        ("assert 'text' in stage.running.stderr", True),
        ("with PoolProcess.run(TOML) as running:\n  assert 'text' in running.stderr", True),
        ("with PoolProcess.run(TOML) as running:\n  pass\n assert 'text' in running.stderr", False),
        ("running = pool(TOML)\n running.wait()\n assert 'text' in running.stderr", False),
        ("running = pool(TOML)\n running.stop()\n assert 'text' in running.stderr", False),
        ("running = pool(TOML); assert 'text' not in running.stderr", False),
        ("done = corepool('status'); assert 'text' in done.stdout", False),
        ("running = pool(TOML); wait_until(lambda: 'text' in running.stderr)", False),
    ],
)
def test_hasty_tests_are_found(body: str, *, is_hasty: bool) -> None:
    head = "def start(pool) -> PoolProcess: ...\ndef test(pool: Pools, given: PoolProcess, stage: Stage):\n "
    module = ast.parse(head + body)

    assert bool(list(hasty_asserts(module, makers_of_pools([module])))) == is_hasty
