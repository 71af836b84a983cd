"""The options of the memcached protocol."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from corepool import Duration, Size
from corepool_kv.stores import DATABASES
from corepool_kv.stores.options import Eviction, StoreOptions
from corepool_kv.stores.remote_url import is_remote, parse_remote_url


class MemcachedOptions(StoreOptions):
    """[listener.options] of protocol = "memcached"."""

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

    store_timeout: Annotated[Duration, Field(gt=0)] = 10.0
    """Seconds after which a server of a store on servers has failed, if requests wait and nothing comes from it."""

    @model_validator(mode="after")
    def _has_one_database(self) -> Self:
        if self.database and is_remote(self.store):
            url = parse_remote_url(self.store)
            if url.is_cluster:
                raise ValueError("`database`: a cluster has none but 0")
            if url.database not in (None, self.database):
                raise ValueError(f"`database` is {self.database}, and {url.database} in the URL of the store")
        return self
