"""Work that goes on beside a test, in threads, and ends with it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def beside(work: Callable[[int, threading.Event], object], threads: int = 1) -> Iterator[None]:
    """Do some work beside the block, until it is left, by a failure too: the threads would disturb other tests.

    :param work: is called in each thread with its number, from 0, and an event; it has to return soon once that is set.
    """
    is_over = threading.Event()
    running = [threading.Thread(target=work, args=(number, is_over)) for number in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in running:
            thread.join()
