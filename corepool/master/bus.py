"""The directory of the bus: its members, and the parties that are told of them. No message of a publisher passes here.

A *party* is a worker, or the bus of another master at an upgrade; it is told of the members that came by all others.
Each member brings the sending end of its mailbox and its table of subscriptions, which are handed on as descriptors.

The number of joins stands on the scoreboard before anything is sent. So a publisher that has not heard of the newest
member yet knows that, and keeps its messages until it has. The new member is told that it has joined when every other
master has heard of it as well: what any worker publishes from then on reaches it. A master that takes over tells its
parties nothing before the old one has told it of all members there: its workers keep their messages until then.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from itertools import takewhile
from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.errors import ChannelFullError, GarbageError, PeerGoneError
from corepool.files.descriptors import release
from corepool.ipc.messages import BusJoined, BusPeerGone, BusPeers, JoinBus
from corepool.ipc.shapes import MAX_FDS
from corepool.logs.rate_limited import RateLimitedLog
from corepool.master import events

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from corepool.ipc.channel import Channel
    from corepool.ipc.messages import Message
    from corepool.ipc.scoreboard import Scoreboard
    from corepool.master.loop import Loop, Timer

log = logging.getLogger(__name__)

_RETRY_S = 0.01
"""How soon a channel that was full is tried again: publishers wait for what it is to carry."""

_PER_MESSAGE = MAX_FDS // 2


@dataclass(slots=True, eq=False)
class _Party:
    """One that is told of members."""

    channel: Channel
    told: int = 0
    """The number of joins up to which it was told."""
    knows: int = 0
    """The same, and never less than it was: a party may ask to be told of all again."""
    gone: deque[int] = field(default_factory=deque)
    """Members that it was told of, and that have ended since."""
    joined: deque[int] = field(default_factory=deque)
    """Its own members that every party knows of."""
    is_link: bool = False
    """It is another master."""


@dataclass(slots=True, eq=False)
class _Member:
    """One that messages can be sent to."""

    number: int
    origin: _Party
    fds: tuple[int, int]
    """Its mailbox and its table: owned here."""
    at: int
    """How many had joined with it."""
    waits_for: set[_Party]
    """Other masters that have not said yet that theirs know of it."""


class BusDirectory:
    """The parties and the members of one master."""

    def __init__(self, loop: Loop, board: Scoreboard, old_masters: Channel | None = None) -> None:
        """Begin without any.

        :param old_masters: to the bus of the master before this one, as `link` takes it.
        """
        self._loop = loop
        self._board = board
        self._parties: dict[Hashable, _Party] = {}
        self._links: set[_Party] = set()
        """Other masters, also those that have not spoken yet, and are no parties."""
        self._members: dict[int, _Member] = {}
        """By number, in the order of their joins."""
        self._joins = 0
        self._retry: Timer | None = None
        self._rate_limited = RateLimitedLog(log)
        self._awaited: _Party | None = None
        """The old master, until it has told of all members there."""
        if old_masters is not None:
            self._awaited = self.link(old_masters)
            self._joins = 1  # those there: so workers here know that they are behind
            board.note_joins(1)

    def join(self, key: Hashable, channel: Channel, message: JoinBus, fds: Sequence[int]) -> None:
        """Have a worker take part, as a publisher, or (with descriptors, which are owned here) as a member.

        A publisher is told of all members, also when it says so again: it had no room for the descriptors of some.

        :param key: the worker's, for `leave`.
        :raises GarbageError: the message makes no sense; the descriptors are closed.
        """
        party = self._parties.setdefault(key, _Party(channel))
        if fds:
            self._add(party, [message.number], fds)
        else:
            party.told = 0
            party.joined.append(message.number)
        self._deliver_all()

    def leave(self, key: Hashable) -> None:
        """Forget a worker that has ended, if it took part."""
        party = self._parties.pop(key, None)
        if party is not None:
            self._drop(party)

    def link(self, channel: Channel) -> _Party:
        """Make one bus of this master's and that of another one, at the other end of `channel`, which is owned here."""
        party = _Party(channel, is_link=True)
        self._links.add(party)
        self._loop.watch(channel.fd, EPOLLIN, lambda _: self._hear(party))
        self._send(party, JoinBus(0))  # it is the first: there is room
        return party

    def close(self) -> None:
        """Release the members' descriptors, and the channels to other masters. Idempotent."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        for party in list(self._links):
            self._unlink(party)
        for member in self._members.values():
            _release(member.fds)
        self._members.clear()
        self._parties.clear()

    # --- members

    def _add(self, origin: _Party, numbers: Iterable[int], fds: Sequence[int]) -> None:
        numbers = list(numbers)
        if len(fds) != 2 * len(numbers) or not all(numbers) or any(each in self._members for each in numbers):
            _release(fds)
            raise GarbageError(f"it joins the bus with numbers {numbers} and {len(fds)} descriptors")
        links = {party for party in (*self._parties.values(), self._awaited) if party is not None and party.is_link}
        links.discard(origin)
        for place, number in enumerate(numbers):
            self._joins += 1
            pair = fds[2 * place], fds[2 * place + 1]
            self._members[number] = _Member(number, origin, pair, self._joins, set(links))
            if not links:
                origin.joined.append(number)
        # Before any worker can hear that it has joined: publishers look at this.
        self._board.note_joins(self._joins)

    def _remove(self, number: int) -> None:
        member = self._members.pop(number, None)
        if member is None:
            return
        _release(member.fds)
        for party in self._parties.values():
            if party is not member.origin and party.knows >= member.at:
                party.gone.append(number)

    def _drop(self, party: _Party) -> None:
        """Forget the members of a party that is no more, and wait for it no longer."""
        for member in [each for each in self._members.values() if each.origin is party]:
            self._remove(member.number)
        if party.is_link:
            for member in self._members.values():
                self._is_known(member, party)
        self._deliver_all()

    def _is_known(self, member: _Member, link: _Party) -> None:
        if link in member.waits_for:
            member.waits_for.remove(link)
            if not member.waits_for:
                member.origin.joined.append(member.number)

    # --- telling

    def _deliver_all(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        # No `any` over a generator: it would leave out those behind the first that is full.
        if sum(not self._deliver(party) for party in self._parties.values()):
            self._retry = self._loop.call_later(_RETRY_S, self._deliver_all)

    def _deliver(self, party: _Party) -> bool:
        """Send a party all that it has not been told; False: its channel is full."""
        if self._awaited is not None and party is not self._awaited:
            return True
        while party.gone:
            if not self._send(party, BusPeerGone(party.gone[0])):
                return False
            party.gone.popleft()
        newest = list(takewhile(lambda each: each.at > party.told, reversed(self._members.values())))
        fresh = [each for each in reversed(newest) if each.origin is not party]
        while party.told < self._joins:
            some, fresh = fresh[:_PER_MESSAGE], fresh[_PER_MESSAGE:]
            upto = some[-1].at if fresh else self._joins
            numbers = tuple(each.number for each in some)
            if not self._send(party, BusPeers(upto, numbers), [fd for each in some for fd in each.fds]):
                return False
            party.told = upto
            party.knows = max(party.knows, upto)
        while party.joined:
            if not self._send(party, BusJoined(party.joined[0], self._joins)):
                return False
            party.joined.popleft()
        return True

    def _send(self, party: _Party, message: Message, fds: Sequence[int] = ()) -> bool:
        try:
            party.channel.send(message, fds)
        except ChannelFullError:
            return False
        except PeerGoneError:
            pass  # it has ended: its pidfd, or the end of the channel, tells
        return True

    # --- other masters

    def _hear(self, party: _Party) -> None:
        try:
            received = party.channel.receive_whole()
            if received is not None:
                self._heard(party, *received)
        except OSError as error:  # EMFILE, ENOMEM
            self._loop.rest(party.channel.fd, EPOLLIN)
            events.bus_not_linked(self._rate_limited, reason=error)
        except PeerGoneError:
            self._unlink(party)
        except GarbageError as error:
            events.bus_not_linked(self._rate_limited, reason=error)
            self._unlink(party)

    def _heard(self, party: _Party, message: Message, fds: Sequence[int]) -> None:
        match message:
            case JoinBus():
                _release(fds)
                # An older corepool never says this, and is told of nothing.
                self._parties[party] = party
                party.joined.append(message.number)
            case BusPeers(numbers=numbers):
                self._add(party, numbers, fds)
            case BusPeerGone(number=number):
                self._remove(number)
            case BusJoined(number=0):  # the answer to our JoinBus: it has told of all
                if party is self._awaited:
                    self._awaited = None
            case BusJoined(number=number):
                if (member := self._members.get(number)) is not None:
                    self._is_known(member, party)
            case _:
                _release(fds)
                raise GarbageError(f"{type(message).__name__} is not about the bus")
        self._deliver_all()

    def _unlink(self, party: _Party) -> None:
        self._links.remove(party)
        self._loop.unwatch(party.channel.fd)
        party.channel.close()
        is_party = self._parties.pop(party, None) is not None
        if party is self._awaited:
            self._awaited, is_party = None, True
        if is_party:
            self._drop(party)


def _release(fds: Iterable[int]) -> None:
    for fd in fds:
        release(fd)
