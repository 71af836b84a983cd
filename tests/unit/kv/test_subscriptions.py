"""The patterns of a client, on a bus that notes the topics and does no more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from corepool_kv.redis import pubsub as pubsub_module
from corepool_kv.redis import subscriptions
from corepool_kv.redis.pubsub import CHANNEL, SHARD, PubSub, literal_beginning
from corepool_kv.redis.pubsub import PATTERN as PATTERN_KIND
from corepool_kv.redis.replies import Error, Push
from corepool_kv.redis.subscription_changes import SubscriptionChanges
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
    worker: Any = SimpleNamespace(bus=bus, pid=1, loop=SimpleNamespace(call_soon=lambda call: call()))
    pubsub = PubSub(worker, "store")
    pubsub.when_ready_for([], lambda: None)
    session: Any = SimpleNamespace()
    return pubsub, Subscriptions(pubsub, session), bus


def change(pubsub: PubSub, client: Subscriptions, pattern: bytes, *, subscribes: bool) -> None:
    changes = SubscriptionChanges(pubsub, client)
    (changes.subscribe if subscribes else changes.unsubscribe)(PATTERN_KIND, [pattern])
    client.apply(changes.wanted)


@given(st.lists(st.tuples(st.booleans(), PATTERN), max_size=30))
def test_a_client_listens_to_the_beginnings_of_its_patterns(changes: list[tuple[bool, bytes]]) -> None:
    pubsub, client, bus = a_client()
    model: set[bytes] = set()
    for subscribes, pattern in changes:
        change(pubsub, client, pattern, subscribes=subscribes)
        if subscribes:
            model.add(pattern)
        else:
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
    pubsub, client, _ = a_client()
    patterns = [b"%d*" % number for number in range(1000)]
    for pattern in patterns:
        change(pubsub, client, pattern, subscribes=True)
    for pattern in patterns:
        change(pubsub, client, pattern, subscribes=False)
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


KINDS = st.sampled_from([CHANNEL, PATTERN_KIND, SHARD])
NAMES = st.lists(st.sampled_from([b"a", b"b", b"c*"]), max_size=3)


@given(st.lists(st.tuples(st.booleans(), KINDS, NAMES), max_size=20), st.integers(0, 20))
def test_changes_of_a_transaction_are_answered_as_if_they_happened_one_by_one(
    steps: list[tuple[bool, bytes, list[bytes]]], split: int
) -> None:
    one_by_one, together = a_client(), a_client()
    replies: list[list[Any]] = [[], []]
    for number, (pubsub, client, _) in enumerate((one_by_one, together)):
        changes = SubscriptionChanges(pubsub, client)
        for at, (subscribes, kind, names) in enumerate(steps):
            if subscribes:
                replies[number] += changes.subscribe(kind, names)
            else:
                replies[number] += changes.unsubscribe(kind, names)
            if number == 0 or at == split:
                client.apply(changes.wanted)
                changes = SubscriptionChanges(pubsub, client)
        client.apply(changes.wanted)
    assert words_of(replies[0]) == words_of(replies[1])
    assert one_by_one[1].counts() == together[1].counts()
    assert one_by_one[1].bytes == together[1].bytes
    assert one_by_one[2].listening.topics == together[2].listening.topics
    assert one_by_one[2].listening.prefixes == together[2].listening.prefixes


def words_of(replies: list[Any]) -> list[tuple[Any, ...]]:
    """Return confirmations without the name: those of "all" come in any order."""
    assert all(isinstance(each, Push) for each in replies)
    return [(each.items[0], each.items[2]) for each in replies]


def test_channels_of_all_clients_have_a_bound_that_ends_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pubsub_module, "MAX_KNOWN_BYTES", 1000)
    pubsub, client, _ = a_client()
    changes = SubscriptionChanges(pubsub, client)
    names = [b"%d" % number for number in range(100)]
    for name in names:
        assert not isinstance(changes.subscribe(CHANNEL, [name])[0], Error)
    client.apply(changes.wanted)
    refused = SubscriptionChanges(pubsub, client).subscribe(CHANNEL, [b"more"])
    assert "take more than 1000 bytes" in str(refused[0])
    changes = SubscriptionChanges(pubsub, client)
    changes.unsubscribe(CHANNEL, [])
    client.apply(changes.wanted)
    assert pubsub.is_ready_for([]), "this looks at the names again"
    assert isinstance(SubscriptionChanges(pubsub, client).subscribe(CHANNEL, [b"more"])[0], Push)
