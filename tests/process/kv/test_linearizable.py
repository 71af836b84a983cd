"""All workers together behave like one register, list or hash a key: every reply is true for all clients."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from kv_client import Client, kv_toml
from linearizable import Operation, is_linearizable, of_register

if TYPE_CHECKING:
    from collections.abc import Callable

    from linearizable import Apply

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

CLIENTS, OPERATIONS, KEYS = 12, 200, 4

Words: TypeAlias = "tuple[object, ...]"
Values: TypeAlias = "tuple[bytes, ...]"
Fields: TypeAlias = "tuple[tuple[bytes, bytes], ...]"


def on_register(key: str, value: str) -> tuple[Words, Apply]:
    written = value.encode() if random.random() < 0.5 else None  # noqa: S311
    words: Words = ("GET", key) if written is None else ("GETSET", key, written)
    return words, lambda before: (before if written is None else written, before)


def on_list(key: str, value: str) -> tuple[Words, Apply]:
    new = value.encode()
    choices: list[tuple[Words, Apply]] = [
        (("RPUSH", key, new), lambda values: ((*values, new), len(values) + 1)),
        (("LPUSH", key, new), lambda values: ((new, *values), len(values) + 1)),
        (("LPOP", key), lambda values: (values[1:], values[0] if values else None)),
        (("RPOP", key), lambda values: (values[:-1], values[-1] if values else None)),
        (("RPOPLPUSH", key, key), lambda values: (values[-1:] + values[:-1], values[-1] if values else None)),
        (("LLEN", key), lambda values: (values, len(values))),
        (("LRANGE", key, 0, -1), lambda values: (values, list(values))),
    ]
    return random.choice(choices)  # noqa: S311


def put(fields: Fields, name: bytes, value: bytes) -> Fields:
    return tuple(sorted((dict(fields) | {name: value}).items()))


def add(fields: Fields, name: bytes) -> tuple[Fields, int]:
    number = int(dict(fields).get(name, 0)) + 1
    return put(fields, name, b"%d" % number), number


def on_hash(key: str, value: str) -> tuple[Words, Apply]:
    name, new = random.choice([b"f", b"g"]), value.encode()  # noqa: S311
    choices: list[tuple[Words, Apply]] = [
        (("HSET", key, name, new), lambda fields: (put(fields, name, new), int(name not in dict(fields)))),
        (("HGET", key, name), lambda fields: (fields, dict(fields).get(name))),
        (
            ("HDEL", key, name),
            lambda fields: (tuple(each for each in fields if each[0] != name), int(name in dict(fields))),
        ),
        (("HINCRBY", key, "n", 1), lambda fields: add(fields, b"n")),
        (("HLEN", key), lambda fields: (fields, len(fields))),
        (("HGETALL", key), lambda fields: (fields, sorted(part for field in fields for part in field))),
    ]
    return random.choice(choices)  # noqa: S311


KINDS: dict[str, tuple[Callable[[str, str], tuple[Words, Apply]], Any]] = {
    "register": (on_register, None),
    "list": (on_list, ()),
    "hash": (on_hash, ()),
}


def operate(client: Client, name: str, begin: threading.Barrier) -> list[tuple[str, Operation]]:
    """Do anything with some keys at random, with each value once."""
    history = []
    begin.wait()
    for number in range(OPERATIONS):
        kind = random.choice(list(KINDS))  # noqa: S311
        key = f"{kind}-{random.randrange(KEYS)}"  # noqa: S311
        words, apply = KINDS[kind][0](key, f"{name}:{number}")
        began_s = time.monotonic()
        seen = client(*words)
        ended_s = time.monotonic()
        if words[0] == "HGETALL":
            seen = sorted(seen)
        history.append((key, Operation(began_s, ended_s, apply, seen)))
    return history


@pytest.mark.parametrize("durability", ["always", "everysec"])
def test_four_workers_are_linearizable(pool: Pools, clients: Callable[[PoolProcess], Client], durability: str) -> None:
    running = pool(kv_toml(workers=4, durability=durability))
    group = [clients(running) for _ in range(CLIENTS)]
    begin = threading.Barrier(CLIENTS)
    with ThreadPoolExecutor(CLIENTS) as executor:
        histories = list(executor.map(operate, group, map(str, range(CLIENTS)), [begin] * CLIENTS))

    history = [entry for each in histories for entry in each]
    assert len(history) == CLIENTS * OPERATIONS
    for key in {key for key, _ in history}:
        _, first = KINDS[key.partition("-")[0]]
        assert is_linearizable([operation for name, operation in history if name == key], first), key


def test_the_checker_finds_histories_that_are_not() -> None:
    write, read = of_register(0, 1, "a", None), of_register(2, 3, None, "a")
    assert is_linearizable([write, read])
    assert is_linearizable([write, of_register(0.5, 3, None, None)])  # at the same time: either order
    assert not is_linearizable([write, of_register(2, 3, None, None)])  # stale
    assert not is_linearizable([write, read, of_register(2, 3, None, "b")])  # never written
    assert not is_linearizable([write, of_register(2, 3, "b", None)])  # replaced nothing: a lost update
    second = of_register(2, 5, "b", "a")
    assert not is_linearizable(
        [write, second, of_register(2.5, 3, None, "b"), of_register(4, 5, None, "a")]
    )  # back in time


def test_the_checker_finds_an_element_that_two_clients_have_got() -> None:
    def pop(values: Values) -> tuple[Values, bytes | None]:
        return values[1:], values[0] if values else None

    first, second = Operation(0, 2, pop, b"a"), Operation(1, 3, pop, b"b")
    assert is_linearizable([first, second], (b"a", b"b"))
    assert not is_linearizable([first, second._replace(seen=b"a")], (b"a", b"b"))
