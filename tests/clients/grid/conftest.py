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
    return not isinstance(column, Column) or column.reason(values.params["check"].name) is None
