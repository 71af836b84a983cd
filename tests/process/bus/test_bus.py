"""Messages between the workers of a running pool."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from bus_clients import BusPools

    Bus = Callable[..., BusPools]


def test_a_message_reaches_the_subscribers_in_all_workers_of_all_pools_once(bus: Bus) -> None:
    pools = bus(2, 1)
    subscribers = [each.sub("news", "news.*") for each in (*pools.tellers("a"), *pools.tellers("b"))]
    publisher = pools.tellers("a")[0]

    assert publisher.ask("pub news hello") == "0"
    assert publisher.ask("pub news.sport goal") == "0"
    assert publisher.ask("pub weather rain") == "0"
    assert publisher.ask("pub news bye") == "0"

    for each in subscribers:
        assert each.lines(3) == ["news hello 0", "news.sport goal 0", "news bye 0"]
    wait_until(lambda: pools.totals() == (4, 9, 0))


def test_the_hook_gets_messages_until_the_worker_has_unsubscribed_as_often_as_it_has_subscribed(bus: Bus) -> None:
    pools = bus(2)
    one, other = pools.tellers()
    assert [one.ask(f"hook {topic}") for topic in ("a", "a", "b*", "b.c")] == ["hooked"] * 4
    one.sub("done")

    def publish(topic: str) -> str:
        other.ask(f"pub {topic} x")
        other.ask("pub done x")
        assert one.line() == "done x 0"
        return one.ask("heard")

    assert publish("a") == "1 a x"
    assert publish("b.c") == "2 b.c x"  # once, though two patterns match
    one.ask("unhook a")
    assert publish("a") == "3 a x"
    one.ask("unhook a")
    assert publish("a") == "3 a x"


def test_a_subscriber_gets_each_message_that_is_published_after_its_subscription_is_active(bus: Bus) -> None:
    """Each time with a worker that the publisher has not met: it is told of it, and waits for that."""
    pools = bus(1, 4)
    (publisher,) = pools.tellers("a")
    for subscriber in pools.tellers("b"):
        subscriber.sub("t")
        publisher.send("pub t 1")
        assert subscriber.line() == "t 1 0"
        assert publisher.line() == "0"
        subscriber.close()
    publisher.close()


def test_messages_of_any_size_arrive_in_their_order(bus: Bus) -> None:
    pools = bus(2)
    one, other = pools.tellers()
    one.sub("big")
    for size in (100, 59_000, 60_000, 61_000, 2**20, 100, 200_000):
        assert other.ask(f"burst big 3 {size}") == "0"

    for size in (100, 59_000, 60_000, 61_000, 2**20, 100, 200_000):
        assert one.lines(3) == [f"big {number}+{size} 0" for number in range(3)]


def test_100_000_messages_in_a_burst_all_arrive(bus: Bus) -> None:
    pools = bus(3)
    publisher, one, other = pools.tellers()
    for each in (publisher, one, other):
        each.sub("burst")
    publisher.send("burst burst 100000 99")

    lines = publisher.lines(100_001)
    assert lines.count("0") == 1
    for got in ([line for line in lines if line != "0"], one.lines(100_000), other.lines(100_000)):
        assert [int(line.split(" ")[1]) for line in got] == list(range(100_000))
    assert pools.totals()[2] == 0


def test_a_stopped_subscriber_loses_the_oldest_is_told_and_harms_nobody(bus: Bus) -> None:
    pools = bus(3)
    publisher, stopped, other = pools.tellers()
    stopped.sub("t")
    other.sub("t")
    os.kill(stopped.pid, signal.SIGSTOP)

    dropped = 0
    for number in range(40):
        dropped += int(publisher.ask(f"burst t 1 {2**20}"))
        assert other.line() == f"t 0+{2**20} 0", number
    assert dropped > 0
    assert publisher.ask("pub t last") == "0"
    assert other.line() == "t last 0"
    wait_until(lambda: pools.totals()[2] == dropped)
    os.kill(stopped.pid, signal.SIGCONT)

    got, lost = 0, 0
    while True:
        _, data, missed = stopped.line().split(" ")
        lost += int(missed)
        if data == "last":
            break
        got += 1
    assert lost == dropped
    assert got + lost == 40


def test_a_killed_worker_is_forgotten_and_the_next_one_takes_part(bus: Bus) -> None:
    pools = bus(2)
    one, other = pools.tellers()
    one.sub("t")
    other.sub("t")
    fds = other.ask("fds")
    for _ in range(3):
        os.kill(one.pid, signal.SIGKILL)
        assert one.line() == ""
        wait_until(lambda gone={one.pid}: len(set(pools.running.workers()) - gone) == 2)
        one.close()
        one, another = sorted(pools.tellers(), key=lambda each: each.pid == other.pid)
        another.close()
        one.sub("t")
        other.send("pub t hello")
        assert one.line() == "t hello 0"
        assert sorted(other.lines(2)) == ["0", "t hello 0"]
    wait_until(lambda: other.ask("fds") == fds)
    assert other.ask("count t") == "2"


def test_a_reload_loses_and_doubles_nothing_for_those_that_stay(bus: Bus) -> None:
    """The client of a worker that leaves keeps its subscription as long as its worker waits for it."""
    pools = bus(1, 1)
    old_a, old_b = (pools.tellers(name)[0].sub("t") for name in "ab")
    assert pools.running.request("reload")["ok"] is True
    wait_until(lambda: pools.running.status()["reload"]["state"] == "done")
    new_a, new_b = pools.teller(pools.running.urls("a")[0]), pools.teller(pools.running.urls("b")[0])
    assert {new_a.pid, new_b.pid}.isdisjoint({old_a.pid, old_b.pid})
    new_a.sub("t")

    assert new_b.ask("pub t hello") == "0"
    assert [each.line() for each in (old_a, old_b, new_a)] == ["t hello 0"] * 3
    old_a.send("pub t bye")
    assert sorted(old_a.lines(2)) == ["0", "t bye 0"]
    assert [each.line() for each in (old_b, new_a)] == ["t bye 0"] * 2


def test_workers_of_the_old_and_of_the_new_master_reach_each_other(bus: Bus) -> None:
    pools = bus(1, 1)
    old_a, old_b = (pools.tellers(name)[0].sub("t") for name in "ab")
    old_workers = pools.running.workers()
    (url,) = pools.running.urls("a")
    pools.running.send_signal(signal.SIGUSR2)
    wait_until(lambda: set(pools.running.workers()).isdisjoint(old_workers))
    new = pools.teller(url)
    assert new.pid not in old_workers
    new.sub("t")

    for number, publisher in enumerate((new, old_a, new, old_b)):
        publisher.send(f"pub t {number}")
        answers = {each.pid: each.lines(1 + (each is publisher)) for each in (old_a, old_b, new)}
        assert sorted(answers.pop(publisher.pid)) == ["0", f"t {number} 0"]
        assert list(answers.values()) == [[f"t {number} 0"]] * 2
    old_a.close()
    old_b.close()
    wait_until(lambda: not set(old_workers) & set(pools.running.left_over()))
    new.send("pub t last")
    assert sorted(new.lines(2)) == ["0", "t last 0"]
    new.close()


def test_a_pool_that_does_not_use_the_bus_pays_nothing(bus: Bus) -> None:
    pools = bus(2)
    one, other = pools.tellers()
    unused = one.ask("fds")
    assert one.ask("imported") == "0", "not even its code is there"
    assert one.ask("pub t x") == "0"  # there is no subscription
    assert one.ask("fds") == other.ask("fds") == unused


def test_messages_that_a_worker_publishes_at_its_end_arrive(bus: Bus) -> None:
    pools = bus(2)
    one, other = pools.tellers()
    other.sub("t")
    one.send(f"burst t 20 {2**18}")
    one.ask("pid")
    os.kill(one.pid, signal.SIGTERM)

    assert [line.split(" ")[0] for line in other.lines(20)] == ["t"] * 20
