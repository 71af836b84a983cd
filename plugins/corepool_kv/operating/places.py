"""The folder of a store that an operator names."""

from __future__ import annotations

import os
from pathlib import Path

from corepool_kv.stores import StoreError
from corepool_kv.stores.remote_url import is_remote


def folder_of(store: str) -> Path:
    """Return the folder that "lmdb:PATH" means.

    :raises StoreError: it means something that can't be copied, or nothing.
    """
    name, colon, place = store.partition(":")
    if is_remote(store):
        raise StoreError(f"--store {name}://...: such a store is copied by the tools of its servers (redis-cli --rdb)")
    if name == "memory":
        raise StoreError(
            f"--store {store}: it is in the memory of a worker, which no other process reads; keep data in lmdb:PATH"
        )
    if name != "lmdb" or not colon:
        raise StoreError(f"--store {store!r}: expected lmdb:PATH, as `store` in the configuration of the listener")
    if not place:
        raise StoreError("--store lmdb: is a temporary store, which is gone with its pool; keep data in lmdb:PATH")
    return Path(place)


def refuse_another_users(folder: Path) -> None:
    """Refuse to write into a folder of another user, who could not read the files that we make.

    :raises StoreError: it is another user's.
    """
    try:
        owner = folder.stat().st_uid
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"store lmdb:{folder} can't be used: {error.strerror}") from None
    if owner != os.geteuid():
        raise StoreError(f"store lmdb:{folder} belongs to the user with number {owner}: run this as that user")
