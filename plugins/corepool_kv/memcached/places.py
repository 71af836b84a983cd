"""The place of a listener's items, as its store names it: on this machine, or on other servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.memcached.local import OnThisMachine
from corepool_kv.stores.remote_url import is_remote

if TYPE_CHECKING:
    from corepool_kv.engine.places import Place
    from corepool_kv.memcached.options import MemcachedOptions
    from corepool_kv.memcached.server import Items


def find_place(options: MemcachedOptions) -> Place[Items]:
    """Choose by the store's name; nothing is opened yet."""
    if not is_remote(options.store):
        return OnThisMachine(options)
    from corepool_kv.memcached.remote import OnServers  # noqa: PLC0415  # a store on this machine needs none of it

    return OnServers(options)
