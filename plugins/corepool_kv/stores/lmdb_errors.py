"""LMDB's errors, in the words of the contract of stores."""

from __future__ import annotations

import lmdb

from corepool_kv.stores import BrokenError, NoRoomError, StoreError


def translated(error: lmdb.Error) -> StoreError:
    """Return the store's error for one of LMDB."""
    if isinstance(error, lmdb.MapFullError | lmdb.MapResizedError):
        return NoRoomError()
    if isinstance(error, lmdb.PanicError):
        return BrokenError(str(error))
    return StoreError(str(error))
