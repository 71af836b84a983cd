"""Hashes: fields with values."""

from __future__ import annotations

from corepool_kv.engine.named import Named
from corepool_kv.stores import HASH


class Hash(Named):
    """Fields with values."""

    type = HASH
