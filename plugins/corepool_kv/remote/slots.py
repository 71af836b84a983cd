"""The slots of a cluster (the Redis cluster specification, "Key distribution model"). Does no I/O."""

from __future__ import annotations

from binascii import crc_hqx
from typing import TYPE_CHECKING

import hiredis

from corepool_kv.stores.remote_url import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOTS = 16_384


def slot_of(key: bytes) -> int:
    """Return the slot of a key: that of its hash tag, if it has one."""
    begin = key.find(b"{")
    if begin >= 0:
        end = key.find(b"}", begin + 1)
        if end > begin + 1:
            key = key[begin + 1 : end]
    return crc_hqx(key, 0) % SLOTS


def read_slots(reply: bytes, asked: Server) -> list[tuple[range, Server]]:
    """Return which slots each primary has, from the reply to CLUSTER SLOTS.

    :param asked: the server that has answered, which may not know its own address.
    :raises ValueError: it is none.
    """
    reader = hiredis.Reader()
    reader.feed(reply)
    rows = reader.gets()
    if isinstance(rows, hiredis.ReplyError):
        raise ValueError(str(rows))  # noqa: TRY004
    try:
        return list(_rows(rows, asked))
    except (TypeError, ValueError, AttributeError, IndexError):
        raise ValueError("its reply to CLUSTER SLOTS can't be read") from None


def _rows(rows: list[list[object]], asked: Server) -> Iterator[tuple[range, Server]]:
    for first, last, primary, *_ in rows:
        assert isinstance(first, int)
        assert isinstance(last, int)
        assert isinstance(primary, list)
        if not 0 <= first <= last < SLOTS:
            raise ValueError(first)
        host = (primary[0] or b"").decode()
        yield range(first, last + 1), Server(asked.host if host in ("", "?") else host, int(primary[1]))


def read_redirection(reply: bytes, asked: Server) -> tuple[int, Server] | None:
    """Return the slot and the server of `-MOVED SLOT HOST:PORT` or `-ASK SLOT HOST:PORT`; None: it is neither."""
    try:
        _, number, address = reply.split()[:3]
        host, _, port = address.decode().rpartition(":")
        slot = int(number)
        if not 0 <= slot < SLOTS:
            return None
        return slot, Server(host.removeprefix("[").removesuffix("]") or asked.host, int(port))
    except ValueError:
        return None
