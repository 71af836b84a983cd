"""The choice of a store, among the options of each protocol that serves one.

`store = "NAME:PLACE"`: NAME is an entry point of the group `corepool.kv_stores`, whose class is called with PLACE and
these options.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Annotated, Literal, Self, TypeAlias, get_args

from pydantic import Field, field_validator, model_validator

from corepool import Options, Size
from corepool_kv.stores import Store, StoreError
from corepool_kv.stores.remote_url import SCHEMES, is_remote, parse_remote_url

_GROUP = "corepool.kv_stores"


Eviction: TypeAlias = Literal[
    "noeviction", "allkeys-lru", "volatile-lru", "allkeys-random", "volatile-random", "volatile-ttl"
]

POLICIES: tuple[str, ...] = get_args(Eviction)


class StoreOptions(Options):
    """The store, and how it is kept."""

    store: str = "lmdb:"
    """Where the data are: "redis://HOST:PORT", "rediss://HOST:PORT" (TLS), "unix:///PATH" or
    "cluster://HOST:PORT,HOST:PORT" (on servers of Redis's protocol); "lmdb:PATH" (a folder, shared by all workers and
    by every listener that names it), "lmdb:" (a temporary one, of one listener, gone when the pool stops), "memory:"
    (one worker only, of one listener), "memory:NAME" (one worker only, shared by its listeners that name it)."""

    durability: Literal["always", "everysec", "never"] = "everysec"
    """When writes reach the disk: before their reply, within a second, or when the system likes. With
    any of them, a killed worker or pool loses no acknowledged write; a power failure may."""

    max_bytes: Annotated[Size, Field(ge=1 << 20)] = 1 << 40
    """How large the store may grow, in bytes."""

    eviction: Eviction = "noeviction"
    """What happens when the store comes near to `max_bytes`. "noeviction": commands that may store more are refused;
    "allkeys-lru": keys that were not used for long are removed; "volatile-lru": such of those that have an expiry;
    "allkeys-random", "volatile-random": any keys, or any that have an expiry; "volatile-ttl": the first to expire."""

    def of_store(self) -> dict[str, str]:
        """Return the options that all listeners of one store have to agree in, as people write them."""
        return {
            "durability": f'"{self.durability}"',
            "max_bytes": str(self.max_bytes),
            "eviction": f'"{self.eviction}"',
        }

    @field_validator("store")
    @classmethod
    def _is_known(cls, store: str) -> str:
        if is_remote(store):
            parse_remote_url(store)
        else:
            find_store(store)
        return store

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        if is_remote(self.store):
            for name in StoreOptions.model_fields:
                if name != "store" and name in self.model_fields_set:
                    raise ValueError(f"`{name}` is for a store on this machine: the servers of this one decide it")
        elif "store" in self.model_fields_set:
            try:
                make_store(self).check()
            except StoreError as error:
                raise ValueError(str(error)) from None
        return self


MakeStore: TypeAlias = Callable[[str, StoreOptions], Store]


def find_store(chosen: str) -> tuple[MakeStore, str]:
    """Find the class and the place that "NAME:PLACE" means.

    :raises ValueError: it means none.
    """
    name, colon, place = chosen.partition(":")
    found = {f"{entry.name}:": entry for entry in entry_points(group=_GROUP)}
    if not colon or f"{name}:" not in found:
        near = difflib.get_close_matches(f"{name}:", [*found, *(f"{scheme}:" for scheme in SCHEMES)], n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"expected NAME:PLACE with one of {', '.join(sorted(found))}{meant}")
    make: MakeStore = found[f"{name}:"].load()
    return make, place


def make_store(options: StoreOptions) -> Store:
    """Make the store of the options; nothing is opened yet.

    :raises StoreError: it can't be where it should be.
    """
    make, place = find_store(options.store)
    return make(place, options)
