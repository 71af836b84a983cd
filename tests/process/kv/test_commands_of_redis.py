"""Every command of a real server is forwarded by the key that the server itself finds in it, and waits where it may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import redis
from running_redis import running_redis

from corepool_kv.remote.kinds import KINDS, Way, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYLESS = (Way.HERE, Way.REFUSED, Way.CHANNELS, Way.TRANSACTION, Way.EVERYWHERE)

MOVABLE = [
    "BLMPOP 0 2 k l LEFT", "BZMPOP 0 1 k MIN", "EVAL s 1 k", "EVALSHA s 1 k", "EVALSHA_RO s 1 k", "EVAL_RO s 1 k",
    "FCALL f 1 k", "FCALL_RO f 1 k", "GEORADIUS k 1 2 3 m STORE l", "GEORADIUSBYMEMBER k m 3 m STORE l",
    "LMPOP 1 k LEFT", "SINTERCARD 1 k", "SORT k STORE l", "SORT_RO k", "XREAD STREAMS k 0", "XREAD COUNT 1 STREAMS k 0",
    "XREADGROUP GROUP g c STREAMS k >", "ZDIFF 1 k", "ZDIFFSTORE k 1 l", "ZINTER 1 k", "ZINTERCARD 1 k",
    "ZINTERSTORE k 1 l", "ZMPOP 1 k MIN", "ZUNION 1 k", "ZUNIONSTORE k 1 l",
]  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Iterator[redis.Redis]:
    with running_redis(tmp_path) as path, redis.Redis(unix_socket_path=str(path)) as client:
        yield client


def rows(of: list[Any]) -> Iterator[tuple[list[bytes], list[bytes], int]]:
    """Yield name, flags and the place of the first key of commands, and of subcommands in the place of theirs."""
    for name, _, flags, first, _, _, _, _, _, subcommands in of:
        if subcommands:
            yield from rows(subcommands)
        else:
            yield name.upper().split(b"|"), flags, first


def found(words: list[bytes]) -> tuple[Way, bytes | None]:
    kind = KINDS.get(words[0]) or kind_of(words)
    return kind.way, (words[1] if len(words) > 1 else None) if kind.key is None else kind.key(words)


def test_the_first_key_is_that_of_the_server(server: redis.Redis) -> None:
    wrong = []
    for name, flags, first in rows(_raw(server)):
        if b"movablekeys" in flags or name == [b"PFSELFTEST"]:  # for Redis's own developers
            continue
        words = [*name, *[b"x"] * (first - len(name)), b"key", b"y"] if first else [*name, b"x", b"y"]
        way, key = found(words)
        if way is not Way.REFUSED and key != (b"key" if first else None) and not (not first and way in KEYLESS):
            wrong.append((words, key))
        if b"blocking" in flags and way not in {Way.BLOCKING, Way.REFUSED}:
            wrong.append((words, way))

    assert wrong == []


def test_keys_that_move_are_found_as_the_server_finds_them(server: redis.Redis) -> None:
    tried = set()
    for line in MOVABLE:
        words = line.encode().split()
        tried.add(words[0])
        keys = server.execute_command("COMMAND GETKEYS", *words)
        assert found(words)[1] == keys[0].encode(), line
    movable = {name[0] for name, flags, _ in rows(_raw(server)) if b"movablekeys" in flags}
    assert movable - tried <= {b"MIGRATE", b"GEORADIUS_RO", b"GEORADIUSBYMEMBER_RO"}


def _raw(server: redis.Redis) -> list[Any]:
    """Return the reply to COMMAND as it is: redis-py makes a table of it."""
    connection = server.connection_pool.get_connection()
    connection.send_command("COMMAND")
    return connection.read_response()
