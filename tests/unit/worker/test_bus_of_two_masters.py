"""The bus while a master is replaced: what workers of the new one do before it has heard of those of the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from played_bus import PlayedMaster, PlayedWorker, open_descriptors

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


class Upgrade:
    """An old master with a worker that subscribes, and a new one with a worker, neither of which has had a turn."""

    def __init__(self) -> None:
        self.old = PlayedMaster()
        self.theirs = PlayedWorker(self.old, 100_000)
        self.got: list[bytes] = []
        self.listening = self.theirs.bus.listen(lambda _, data: self.got.append(data), ["topic"])
        wait_until(lambda: self.turn(self.old) and self.listening.is_active)
        self.new = self.old.upgrade()
        self.ours = PlayedWorker(self.new, 100_000)

    def turn(self, *masters: PlayedMaster) -> bool:
        for each in masters:
            each.turn()
        self.theirs.turn()
        if hasattr(self, "ours"):
            self.ours.turn()
        return True


@pytest.fixture
def upgrade() -> Iterator[Upgrade]:
    descriptors = open_descriptors()
    upgrade = Upgrade()
    yield upgrade
    for worker in (upgrade.ours, upgrade.theirs):
        worker.kill()
    for master in (upgrade.new, upgrade.old):
        master.close()
    assert open_descriptors() == descriptors


def test_a_message_that_a_new_worker_publishes_first_reaches_workers_of_the_old_master(upgrade: Upgrade) -> None:
    upgrade.ours.bus.publish("topic", b"first")
    for _ in range(5):
        upgrade.turn(upgrade.new)  # the old master is busy
    assert upgrade.got == []
    wait_until(lambda: upgrade.turn(upgrade.old, upgrade.new) and upgrade.got == [b"first"])


def test_a_new_subscription_is_not_active_before_workers_of_the_old_master_know_of_it(upgrade: Upgrade) -> None:
    got: list[bytes] = []
    listening = upgrade.ours.bus.listen(lambda _, data: got.append(data), ["topic"])
    for _ in range(5):
        upgrade.turn(upgrade.new)
    assert not listening.is_active
    wait_until(lambda: upgrade.turn(upgrade.old, upgrade.new) and listening.is_active)
    upgrade.theirs.bus.publish("topic", b"from there")
    wait_until(lambda: upgrade.turn(upgrade.old, upgrade.new) and got == [b"from there"])


def test_an_old_master_that_ends_before_it_has_told_of_its_workers_is_not_waited_for(upgrade: Upgrade) -> None:
    listening = upgrade.ours.bus.listen(lambda *_: None, ["other"])
    second = PlayedWorker(upgrade.new, 100_000)
    second.bus.publish("other", b"kept")
    upgrade.turn(upgrade.new)
    assert not listening.is_active
    upgrade.old.directory.close()
    wait_until(lambda: upgrade.turn(upgrade.new) and bool(second.turn() or True) and listening.is_active)
    wait_until(lambda: upgrade.turn(upgrade.new) and upgrade.ours.bus.delivered == 1)
    second.kill()


def test_a_master_that_replaces_one_without_a_bus_in_use_waits_for_its_word_alone() -> None:
    old = PlayedMaster()
    new = old.upgrade()
    ours, others = PlayedWorker(new, 100_000), PlayedWorker(new, 100_000)
    got: list[bytes] = []
    others.bus.listen(lambda _, data: got.append(data), ["topic"])
    ours.bus.publish("topic", b"kept")

    def turn() -> bool:
        for each in (old, new, ours, others):
            each.turn()
        return True

    wait_until(lambda: turn() and got == [b"kept"])
    for worker in (ours, others):
        worker.kill()
    for master in (new, old):
        master.close()
