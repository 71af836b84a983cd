"""The subscriptions of a worker beside a plain model; a change costs the same, however many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from corepool.worker import bus_topics
from corepool.worker.bus_topics import Listener, Patterns, Topics

if TYPE_CHECKING:
    import pytest

NAME = st.text("ab", max_size=3).map(str.encode)
CHANGES = st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.booleans(), NAME), max_size=40)


@given(CHANGES, st.lists(NAME.filter(bool), max_size=10))
def test_routes_are_those_of_a_plain_model(changes: list[tuple[int, bool, bool, bytes]], asked: list[bytes]) -> None:
    topics = Topics()
    listeners = [Listener(lambda *_: None) for _ in range(3)]
    model: set[tuple[int, bool, bytes]] = set()
    for who, adds, is_prefix, name in changes:
        one = frozenset([name])
        patterns = Patterns(frozenset(), one) if is_prefix else Patterns(one, frozenset())
        listener = listeners[who]
        if adds:
            topics.add(listener, patterns.beyond(listener))
            model.add((who, is_prefix, name))
        else:
            topics.remove(listener, patterns.within(listener))
            model.discard((who, is_prefix, name))
        for topic in asked:
            wanting = {who for who, starts, name in model if (topic.startswith(name) if starts else topic == name)}
            route = topics.route(topic)
            assert {listeners.index(each) for each in route} == wanting
            assert len(route) == len(wanting)
    some = Patterns(frozenset(asked[::2]), frozenset(asked[1::2]))
    overlapping = {
        who
        for who, starts, name in model
        if any(topic.startswith(name) if starts else topic == name for topic in some.topics)
        or any(name.startswith(begin) or (starts and begin.startswith(name)) for begin in some.prefixes)
    }
    assert {listeners.index(each) for each in topics.overlapping(some)} == overlapping


def test_prefixes_are_not_sorted_again_for_each_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0

    def counted(lengths: list[int]) -> list[int]:
        nonlocal looked_at
        looked_at += len(lengths)
        return sorted(lengths)

    monkeypatch.setattr(bus_topics, "sorted", counted, raising=False)
    topics, listener = Topics(), Listener(lambda *_: None)
    every = [Patterns(frozenset(), frozenset([b"%05d" % number])) for number in range(1000)]
    for each in every:
        topics.add(listener, each)
    for each in every:
        topics.remove(listener, each)
    assert looked_at < 10
