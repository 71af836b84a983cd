"""The patterns of a client, on a bus that notes the topics and does no more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from corepool_kv.redis import subscriptions
from corepool_kv.redis.pubsub import PubSub, literal_beginning
from corepool_kv.redis.subscriptions import Subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pytest

PATTERN = st.text("ab*?[\\", max_size=4).map(str.encode)


class Listening:
    """The topics of a client."""

    is_active = True

    def __init__(self) -> None:
        self.topics: set[bytes] = set()
        self.prefixes: set[bytes] = set()

    def add(self, topics: Iterable[bytes], prefixes: Iterable[bytes]) -> None:
        self.topics |= set(topics)
        self.prefixes |= set(prefixes)

    def remove(self, topics: Iterable[bytes], prefixes: Iterable[bytes]) -> None:
        self.topics -= set(topics)
        self.prefixes -= set(prefixes)

    def when_active(self, call: Callable[[], None]) -> None:
        call()


class Bus:
    """The bus of a worker without others."""

    def __init__(self) -> None:
        self.listening = Listening()

    def listen(self, *_: object, **__: object) -> Listening:
        self.listening = Listening()
        return self.listening

    def publish(self, topic: bytes, data: bytes) -> int:  # noqa: ARG002
        return 0

    def subscribers(self, topic: bytes) -> int:
        return int(topic in self.listening.topics)


def a_client() -> tuple[PubSub, Subscriptions, Bus]:
    bus = Bus()
    worker: Any = SimpleNamespace(bus=bus, pid=1)
    pubsub = PubSub(worker, "store")
    pubsub.when_ready_for([], lambda: None)
    session: Any = SimpleNamespace()
    return pubsub, Subscriptions(pubsub, session), bus


@given(st.lists(st.tuples(st.booleans(), PATTERN), max_size=30))
def test_a_client_listens_to_the_beginnings_of_its_patterns(changes: list[tuple[bool, bytes]]) -> None:
    pubsub, client, bus = a_client()
    model: set[bytes] = set()
    for subscribes, pattern in changes:
        if subscribes:
            client.subscribe_to_pattern(pattern)
            model.add(pattern)
        else:
            client.unsubscribe_from_pattern(pattern)
            model.discard(pattern)
        expected = {literal_beginning(each) for each in model}
        assert {prefix.partition(b"a")[2] for prefix in strip(bus.listening.prefixes)} == expected
        assert set(pubsub.names(b"p")) == model


def strip(prefixes: set[bytes]) -> set[bytes]:
    """Return them without the name of the store, of ten bytes."""
    return {prefix[10:] for prefix in prefixes}


def test_unsubscribing_from_many_patterns_looks_at_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def counted(pattern: bytes) -> bytes:
        nonlocal looks
        looks += 1
        return literal_beginning(pattern)

    monkeypatch.setattr(subscriptions, "literal_beginning", counted)
    _, client, _ = a_client()
    patterns = [b"%d*" % number for number in range(1000)]
    for pattern in patterns:
        client.subscribe_to_pattern(pattern)
    for pattern in patterns:
        client.unsubscribe_from_pattern(pattern)
    assert looks == 2 * len(patterns)


def test_the_literal_beginning_ends_at_the_first_character_with_a_meaning() -> None:
    beginnings = {
        b"": b"",
        b"news": b"news",
        b"n*": b"n",
        b"*": b"",
        b"a?": b"a",
        b"a[b]": b"a",
        b"a\\*b": b"a",
        b"a\nb*": b"a\nb",
    }
    assert {pattern: literal_beginning(pattern) for pattern in beginnings} == beginnings
