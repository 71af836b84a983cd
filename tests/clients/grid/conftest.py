"""Cells of the grid that do not apply are no tests: columns.py has the reasons, and the page shows them."""

from __future__ import annotations

import pytest
from grid.columns import Column

pytest.register_assert_rewrite("grid.checks")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if _applies(item)]


def _applies(item: pytest.Item) -> bool:
    values = getattr(item, "callspec", None)
    column = values.params.get("site") if values else None
    if not isinstance(column, Column):
        return True
    if getattr(item, "originalname", "") == "test_the_grid_over_http2" and column.protocol != "http":
        return False  # the framework's own server speaks HTTP/1 alone
    return column.reason(values.params["check"].name) is None
