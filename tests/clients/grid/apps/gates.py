"""Files by which a check and an application meet, in the pool's folder: neither guesses how long the other takes."""

import asyncio
import os
import time
from pathlib import Path

_POLL_S = 0.005


def mark(name, text=""):
    """Leave a sign that is there complete or not at all."""
    part = Path(f"{name}.part")
    part.write_text(str(text))
    os.replace(part, name)


def is_open(name):
    return Path(name).exists()


async def passed(name):
    while not is_open(name):
        await asyncio.sleep(_POLL_S)


def wait(name):
    while not is_open(name):
        time.sleep(_POLL_S)


LARGE = b"0123456789abcdef" * 327_680
"""5 MiB."""

LIMIT = 100_000
"""Bytes that /limited accepts."""


def pause(number, silent):
    """Wait between two events; after the third for ever, if the client asked for a stream that falls silent."""
    return passed("never") if silent and number == 2 else asyncio.sleep(0.01)
