"""The thread in which transactions are committed to a store that waits for a disk."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from corepool_kv.stores import StoreError


def start_commit_thread() -> ThreadPoolExecutor:
    """Start the thread of commits: at the first write, the system may have none left, and the write would be lost.

    :raises StoreError: the system has no thread left.
    """
    thread = ThreadPoolExecutor(1, "kv-commit")
    try:
        thread.submit(threading.get_ident).result()
    except RuntimeError as error:
        raise StoreError(f"no thread for its commits: {error}") from None
    return thread
