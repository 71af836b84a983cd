"""The order of the databases of a store: SWAPDB exchanges the tables of two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.stores import SYSTEM

if TYPE_CHECKING:
    import lmdb

ORDER = b"order of databases"
"""The key in the main table, if they are not in their first order."""
_FIRST_ORDER = bytes(range(SYSTEM + 1))


def order_of(txn: lmdb.Transaction) -> bytes:
    """Return the numbers of the tables of each database."""
    found: bytes | None = txn.get(ORDER)  # type: ignore[assignment]
    return _FIRST_ORDER if found is None else bytes(found)
