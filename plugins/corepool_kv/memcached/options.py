"""The options of the memcached protocol."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from corepool import Size
from corepool_kv.stores import DATABASES
from corepool_kv.stores.options import Eviction, StoreOptions
from corepool_kv.stores.remote_url import is_remote


class MemcachedOptions(StoreOptions):
    """[listener.options] of protocol = "memcached"."""

    store: str = "lmdb:"
    """Where the items are: "lmdb:PATH" (a folder, shared by all workers and by every listener that names it),
    "lmdb:" (a temporary one, of one listener, gone when the pool stops), "memory:" (one worker only, of one listener),
    "memory:NAME" (one worker only, shared by its listeners that name it)."""

    max_bytes: Annotated[Size, Field(ge=1 << 20)] = 64 << 20
    """How large the store may grow, in bytes (memcached -m: 64 MiB)."""

    eviction: Eviction = "allkeys-lru"
    """What happens when the store comes near to `max_bytes`: items that were not used for long are removed, as
    memcached does, or those of another policy; "noeviction": new items are refused (memcached -M)."""

    database: Annotated[int, Field(ge=0, lt=DATABASES)] = 0
    """The database of the store, as SELECT of the kv protocol numbers them, that has the items."""

    max_item: Annotated[Size, Field(ge=1024)] = 1 << 20
    """Bytes of one value (memcached -I: 1 MiB, with the key and a header)."""

    max_line: Annotated[Size, Field(ge=512)] = 65_536
    """Bytes of one command's line, and so the number of keys of one `get`."""

    @field_validator("store")
    @classmethod
    def _is_here(cls, store: str) -> str:
        if is_remote(store):
            raise ValueError("memcached serves a store on this machine: lmdb:PATH or memory:NAME")
        return store
