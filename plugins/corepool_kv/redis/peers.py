"""Questions to the other workers and listeners of a store, over the bus, and their answers within a second.

Commands about all clients, such as CLIENT LIST, ask them. A listener takes part from its first client on: before, it
has nothing to tell.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.redis.replies import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from corepool import Listening, Worker

TIMEOUT_S = 1.0
"""For the answers. A worker that runs a script, or is stopped, may take longer."""

LINES, COUNT, KILL, LOOK, SHARE = b"l", b"c", b"k", b"o", b"s"
"""Kinds of questions: the lines of CLIENT LIST; how many clients CLIENT KILL would end, and the order to end them; to
look for a pause or a client that monitors; to share the figures of now."""

_QUESTIONS, _ANSWERS, _LINES = b"q", b"a", b"m"
_MORE, _LAST = b"+", b"."
_NUMBER_BYTES, _LENGTH_BYTES = 8, 2
_PART_BYTES = 262_144
"""About so much of an answer is sent at once; the bus takes 1 MiB."""

_MAX_ARGUMENTS_BYTES = 100_000
"""Of a question: in JSON a byte may take six."""


def check_arguments(args: Sequence[bytes]) -> None:
    """Refuse arguments that one message of the bus can't have.

    :raises Error: they are too many or too long.
    """
    if sum(map(len, args)) + len(args) > _MAX_ARGUMENTS_BYTES:
        raise Error(f"ERR arguments of more than {_MAX_ARGUMENTS_BYTES} bytes: the other workers are asked with fewer")


class Question(NamedTuple):
    """A question, or an order if no answer is waited for."""

    kind: bytes
    text: bytes = b""

    @classmethod
    def about(cls, kind: bytes, args: Sequence[bytes]) -> Question:
        """Return a question with the arguments of a command."""
        return cls(kind, json.dumps([word.decode("latin-1") for word in args]).encode())

    @property
    def args(self) -> list[bytes]:
        """Those arguments."""
        return [word.encode("latin-1") for word in json.loads(self.text or b"[]")]


class Gathered(NamedTuple):
    """The answers of the others."""

    answers: list[bytes]
    missing: int
    """How many have not answered."""

    def error(self, consequence: str) -> Error | None:
        """Return the error for answers that are missing; None if there are all.

        :param consequence: what that means, for the client.
        """
        if not self.missing:
            return None
        workers = "1 worker has" if self.missing == 1 else f"{self.missing} workers have"
        return Error(f"ERR {workers} not answered within {TIMEOUT_S:g} s: {consequence}")


class _Asked:
    """A question that is not answered by all yet."""

    def __init__(self, due: int, then: Callable[[Gathered], None]) -> None:
        self.due = due
        self.then = then
        self.parts: dict[bytes, bytearray] = {}
        """By the topic of the answering one."""
        self.done: set[bytes] = set()


class Peers:
    """The part of one listener in one worker. Runs in: the worker."""

    def __init__(self, worker: Worker, store: str, answer: Callable[[Question], Iterable[bytes]]) -> None:
        """Take no part yet.

        :param store: the same for listeners that ask each other.
        :param answer: returns the parts of the answer to a question of another one.
        """
        self._worker = worker
        self._answer = answer
        self._prefix = b"kvp" + hashlib.sha256(store.encode(errors="surrogateescape")).digest()[:8]
        self._mine = self._prefix + _ANSWERS + b"%d %d" % (worker.pid, id(self))
        self._listening: Listening | None = None
        self._numbers = itertools.count(1)
        self._asked: dict[int, _Asked] = {}

    @property
    def lines_topic(self) -> bytes:
        """The topic of the lines for clients that monitor."""
        return self._prefix + _LINES

    def join(self) -> None:
        """Take part. Idempotent.

        :raises OSError: the system has no descriptor or memory for it.
        """
        if self._listening is None:
            self._listening = self._worker.bus.listen(self._heard, [self._prefix + _QUESTIONS, self._mine])

    def close(self) -> None:
        """Take part no more."""
        self._asked.clear()
        if self._listening is not None:
            self._listening.close()

    def tell(self, order: Question) -> None:
        """Have the others do something; none of them answers."""
        self._worker.bus.publish(self._prefix + _QUESTIONS, self._packed(0, order))

    def ask(self, question: Question, then: Callable[[Gathered], None]) -> None:
        """Ask the others.

        :param then: called once, in the loop's thread, in a second at most.
        :raises OSError: as `join`.
        """
        self.join()
        assert self._listening is not None
        self._listening.when_active(functools.partial(self._ask, question, then))

    def _ask(self, question: Question, then: Callable[[Gathered], None]) -> None:
        number = next(self._numbers)
        self._asked[number] = _Asked(self._others(), then)
        if self._asked[number].due:
            self._worker.bus.publish(self._prefix + _QUESTIONS, self._packed(number, question))
            self._worker.loop.call_later(TIMEOUT_S, self._end, number)
        else:
            # Not at once: the asking command is in the middle of something.
            self._worker.loop.call_soon(self._end, number)

    def _others(self) -> int:
        return max(0, self._worker.bus.subscribers(self._prefix + _QUESTIONS) - 1)

    def _packed(self, number: int, question: Question) -> bytes:
        mine = len(self._mine).to_bytes(_LENGTH_BYTES) + self._mine
        return number.to_bytes(_NUMBER_BYTES) + mine + question.kind + question.text

    def _heard(self, topic: bytes, data: bytes) -> None:
        number, rest = int.from_bytes(data[:_NUMBER_BYTES]), data[_NUMBER_BYTES:]
        end = _LENGTH_BYTES + int.from_bytes(rest[:_LENGTH_BYTES])
        sender, text = rest[_LENGTH_BYTES:end], rest[end:]
        if topic == self._mine:
            self._take(number, sender, text[:1], text[1:])
        elif sender != self._mine:
            parts = self._answer(Question(text[:1], text[1:]))
            if number:
                self._reply(sender, number, parts)

    def _reply(self, topic: bytes, number: int, parts: Iterable[bytes]) -> None:
        publish = self._worker.bus.publish
        part = bytearray()
        for each in parts:
            part += each
            if len(part) > _PART_BYTES:
                publish(topic, self._packed(number, Question(_MORE, bytes(part))))
                part.clear()
        publish(topic, self._packed(number, Question(_LAST, bytes(part))))

    def _take(self, number: int, sender: bytes, kind: bytes, text: bytes) -> None:
        asked = self._asked.get(number)
        if asked is None:
            return  # too late
        asked.parts.setdefault(sender, bytearray()).extend(text)
        if kind == _LAST:
            asked.done.add(sender)
            if len(asked.done) >= asked.due:
                self._end(number)

    def _end(self, number: int) -> None:
        asked = self._asked.pop(number, None)
        if asked is not None:
            due = min(asked.due, self._others())  # one that has ended since has nothing to tell
            answers = [bytes(asked.parts[sender]) for sender in asked.done]
            asked.then(Gathered(answers, max(0, due - len(answers))))
