"""States of transports on their way from files to workers: every answer of a channel, every mistake of a plugin."""

from __future__ import annotations

import errno
import fcntl
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool import Endpoint, ServerCertificate
from corepool.errors import GarbageError
from corepool.ipc.channel import Channel
from corepool.ipc.messages import NewState, Ready, StateTaken
from corepool.ipc.shapes import SocketIndex
from corepool.master.delivering import deliver, note_taken
from corepool.master.renewing import Renewing
from corepool.master.workers import HeldState
from corepool.plugins.renewal import Renewal, expiry, is_valid
from corepool.spec.transport import MAX_STATE_BYTES
from corepool.testing.served import Plain
from corepool.worker.renewing import Renewing as Taking

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

INDEX = SocketIndex(3)
DAY_S = 86_400


class Files(Plain):
    """A transport whose files the test writes: bytes are new, None is the same as before, an exception is raised."""

    def __init__(self) -> None:
        self.next: object = None
        self.taken: list[bytes] = []
        self.ends = 4e9
        self.wrong: list[str] = []

    def refresh(self, endpoint: Endpoint) -> bytes | None:  # noqa: ARG002
        content, self.next = self.next, None
        if isinstance(content, BaseException):
            raise content
        return cast("bytes | None", content)

    def refreshed(self, state: bytes) -> None:
        if state == b"wrong":
            raise ValueError("no worker takes it")
        self.taken.append(state)

    @property
    def not_renewed(self) -> Sequence[str]:
        return self.wrong

    def certificates(self) -> Sequence[ServerCertificate]:
        return [ServerCertificate("a.pem", ("a.example",), 0.0, self.ends)]


class Workers(list[Any]):
    """The table of a pool's workers, all of them ready."""

    def ready(self) -> list[Any]:
        return list(self)


class Pools(list[Any]):
    """The pools of a master."""

    bound: list[Any]

    def sockets(self) -> list[Any]:
        return self.bound


class World:
    """One bound socket, and a worker at the other end of a real channel."""

    def __init__(self) -> None:
        self.files = Files()
        self.renewal = Renewal(self.files, Endpoint("x:", "x"))
        listener = SimpleNamespace(name="l")
        self.bound: Any = SimpleNamespace(
            index=INDEX, renewal=self.renewal, listener=listener, url="x:", transport=self.files
        )
        self.ours, self.theirs = Channel.pair()
        self.entry: Any = SimpleNamespace(
            channel=self.ours,
            configuration=SimpleNamespace(bound=[self.bound]),
            states={INDEX: HeldState(0, 0)},
            name="0",
            pid=7,
        )
        pools = Pools([SimpleNamespace(workers=Workers([self.entry]))])
        pools.bound = [self.bound]
        self.now = 1e9
        self.renewing = Renewing(cast("Any", None), cast("Any", pools), lambda: self.now)
        self.taking = Taking("0", [self.bound], self.answer)

    def answer(self, message: StateTaken) -> None:
        note_taken(self.entry, message)

    def serve(self) -> int:
        """Have the worker take its messages, and return how many there were."""
        count = 0
        while (received := self.theirs.receive()) is not None:
            message, fds = received
            count += 1
            if isinstance(message, NewState):
                self.taking.take(message, fds)
        return count

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def test_a_new_state_goes_to_a_worker_once(world: World) -> None:
    world.files.next = b"one"
    assert world.renewing.look() == 1
    assert world.renewing.status()["waiting"] == 1
    world.renewing.deliver()
    assert world.serve() == 1
    assert world.files.taken == [b"one"]
    assert world.renewing.look() == 0
    assert world.serve() == 0
    assert (world.renewing.status()["waiting"], world.renewing.status()["failures"]) == (0, [])


def test_a_worker_whose_channel_is_full_is_told_later(world: World) -> None:
    sent = 0
    try:
        while True:
            world.ours.send(Ready())
            sent += 1
    except Exception as error:  # noqa: BLE001  # ChannelFullError
        assert type(error).__name__ == "ChannelFullError"  # noqa: PT017
    world.files.next = b"one"
    world.renewing.look()
    assert world.serve() == sent
    assert world.files.taken == []

    world.renewing.deliver()
    assert world.serve() == 1
    assert world.files.taken == [b"one"]


def test_a_worker_that_is_gone_is_no_error(world: World) -> None:
    world.theirs.close()
    world.files.next = b"one"
    assert world.renewing.look() == 1


def test_only_the_newest_of_several_states_counts(world: World) -> None:
    for state in (b"one", b"two"):
        world.files.next = state
        world.renewing.look()
    world.serve()
    assert world.files.taken[-1] == b"two"
    assert world.entry.states[INDEX].taken == 2


def test_a_failure_of_a_worker_is_told_and_tried_again_at_the_next_look(world: World) -> None:
    world.files.next = b"wrong"
    world.renewing.look()
    world.serve()
    [failure] = world.renewing.status()["failures"]
    assert (failure["worker"], failure["reason"]) == ("0", "ValueError: no worker takes it")
    world.renewing.deliver()
    assert world.serve() == 0, "not again and again"

    world.renewing.look()
    assert world.serve() == 1

    world.files.next = b"right"
    world.renewing.look()
    assert world.renewing.status()["failures"] == []
    world.serve()
    assert world.renewing.status()["waiting"] == 0


def test_a_worker_that_refuses_a_state_is_sent_it_less_and_less_often(world: World) -> None:
    world.files.next = b"wrong"
    world.renewing.look()
    sent = []
    for _ in range(17):
        sent.append(world.serve())
        world.renewing.look_again()
    assert sent == [1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0]

    world.renewing.look()
    assert world.serve() == 1, "when an operator asks, at once"
    world.files.next = b"right"
    world.renewing.look_again()
    assert world.serve() == 1, "and another state"
    assert world.renewing.status()["failures"] == []


def test_an_answer_that_comes_late_is_none_of_garbage(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    world.files.next = b"one"
    world.renewing.look()
    world.files.next = b"two"
    with monkeypatch.context() as patch:
        patch.setattr(os, "memfd_create", refuse)
        world.renewing.look()
        world.renewing.look()
    assert world.serve() == 1
    assert world.entry.states[INDEX].taken == 1

    world.renewing.deliver()
    assert world.serve() == 1
    assert world.entry.states[INDEX].taken == 2


def test_workers_share_the_memory_of_a_state(world: World) -> None:
    ours, theirs = Channel.pair()
    other = SimpleNamespace(**{**vars(world.entry), "channel": ours, "states": {INDEX: HeldState(0, 0)}, "name": "1"})
    world.files.next = b"one"
    world.renewal.look()
    deliver([world.entry, cast("Any", other)])
    received = [each.receive() for each in (world.theirs, theirs)]
    files = [fd for each in received if each is not None for fd in each[1]]
    assert len({os.fstat(fd).st_ino for fd in files}) == 1
    assert len(files) == 2
    for fd in files:
        os.close(fd)
    ours.close()
    theirs.close()


def test_the_workers_that_are_waited_for_are_named(world: World) -> None:
    world.files.next = b"one"
    world.renewing.look()
    assert world.renewing.status()["waiting_for"] == ["0 (pid 7)"]
    world.serve()
    assert world.renewing.status()["waiting_for"] == []


def test_a_lack_of_descriptors_is_told_and_passes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    world.files.next = b"one"
    with monkeypatch.context() as patch:
        patch.setattr(os, "memfd_create", refuse)
        world.renewing.look()
    assert "Too many open files" in world.renewing.status()["failures"][0]["reason"]
    world.renewing.deliver()
    world.serve()
    assert world.files.taken == [b"one"]
    assert world.renewing.status()["failures"] == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/etc/k.pem"), "/etc/k.pem: Permission denied"),
        (ValueError("the key does not fit"), "the key does not fit"),
        (ZeroDivisionError("division"), "ZeroDivisionError: division"),
    ],
)
def test_whatever_a_transport_does_the_state_before_stays(world: World, content: object, reason: str) -> None:
    world.files.next = b"one"
    world.renewing.look()
    world.files.next = content
    assert world.renewing.look() == 0
    assert (world.renewal.state, world.renewal.number) == (b"one", 1)
    [failure] = world.renewing.status()["failures"]
    assert failure["reason"].startswith(reason)
    assert world.renewing.look() == 0
    assert world.renewing.status()["failures"] == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("text", "TypeError: refresh() has returned str, and not bytes or None"),
        (bytes(MAX_STATE_BYTES + 1), f"{MAX_STATE_BYTES + 1} bytes of keys and certificates; at most"),
    ],
)
def test_a_state_that_is_refused_is_told_until_another_comes(world: World, content: object, reason: str) -> None:
    """The transport serves with it, and returns None from then on: nothing has changed."""
    world.files.next = b"one"
    world.renewing.look()
    world.files.next, world.files.ends = content, 5e9
    for _ in range(3):
        assert world.renewing.look() == 0
        [failure] = world.renewing.status()["failures"]
        assert failure["reason"].startswith(reason)
        assert [each["not_after"] for each in world.renewing.status()["certificates"]] == [4e9]
    assert (world.renewal.state, world.renewal.number) == (b"one", 1)

    world.files.next = b"two"
    assert world.renewing.look() == 1
    assert world.renewing.status()["failures"] == []
    assert [each["not_after"] for each in world.renewing.status()["certificates"]] == [5e9]


def test_files_of_which_some_are_wrong_are_renewed_and_the_wrong_ones_told(world: World) -> None:
    world.files.next, world.files.wrong = b"one", ["b.pem: no key"]
    assert world.renewing.look() == 1
    assert [each["reason"] for each in world.renewing.status()["failures"]] == ["b.pem: no key"]
    world.serve()
    assert world.files.taken == [b"one"]
    assert world.renewing.look() == 0
    assert world.renewing.status()["failures"] != []

    world.files.wrong = []
    world.renewing.look()
    assert world.renewing.status()["failures"] == []


@pytest.mark.parametrize(("socket", "number"), [(INDEX, 2), (SocketIndex(4), 1), (INDEX, 0)])
def test_an_answer_to_nothing_that_was_sent_is_garbage(world: World, socket: SocketIndex, number: int) -> None:
    world.files.next = b"one"
    world.renewing.look()
    world.serve()
    with pytest.raises(GarbageError):
        note_taken(world.entry, StateTaken(socket, number))


def test_the_memory_of_a_state_can_not_be_changed_by_a_worker(world: World) -> None:
    world.files.next = b"one"
    world.renewing.look()
    received = world.theirs.receive()
    assert received is not None
    _, [fd] = received
    try:
        with pytest.raises(PermissionError):
            os.write(fd, b"x")
        with pytest.raises(PermissionError):
            os.ftruncate(fd, 0)
        assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SEAL
        assert os.get_inheritable(fd) is False
        assert os.pread(fd, 10, 0) == b"one"
    finally:
        os.close(fd)


def test_a_worker_without_descriptors_says_so(world: World) -> None:
    world.entry.states[INDEX].sent = 1
    world.taking.take(NewState(INDEX, 1), [])
    assert "out of descriptors" in world.entry.states[INDEX].failure


def test_a_worker_takes_no_endless_file(world: World) -> None:
    world.entry.states[INDEX].sent = 1
    fd = os.memfd_create("x")
    os.ftruncate(fd, MAX_STATE_BYTES + 1)
    world.taking.take(NewState(INDEX, 1), [fd])
    assert "bytes" in world.entry.states[INDEX].failure
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_worker_forked_with_a_state_is_not_sent_it(world: World) -> None:
    world.files.next = b"one"
    assert world.renewal.look()
    world.entry.states[INDEX] = HeldState(world.renewal.number, world.renewal.number)
    deliver([world.entry])
    assert world.serve() == 0


@given(st.floats(-1e9, 1e9), st.floats(0, 4e9))
def test_a_warning_is_given_for_the_last_two_weeks_and_always_where_clients_refuse(left: float, now: float) -> None:
    certificate = ServerCertificate("a.pem", ("a",), 0.0, now + left)
    said = expiry(certificate, now)
    assert (said is None) == (left >= 14 * DAY_S)
    if not is_valid(certificate, now):
        assert said is not None
        assert "expired" in said


def test_a_certificate_of_tomorrow_is_not_valid_yet() -> None:
    certificate = ServerCertificate("a.pem", ("a",), 86_400.0, 4e9)
    assert expiry(certificate, 0.0) == "is not valid before 1970-01-02 00:00 UTC"
    assert not is_valid(certificate, 0.0)


def test_the_base_of_transports_has_no_files() -> None:
    assert Plain().refresh(Endpoint("x:", "x")) is None
    assert list(Plain().certificates()) == []
    assert Plain().encrypts is False
