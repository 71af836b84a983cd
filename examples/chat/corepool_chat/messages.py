"""What a worker with chatters and the one with the rooms say to each other: a JSON list on each line."""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from enum import StrEnum

MAX_MESSAGE = 65_536
"""Bytes of a message at most: of an answer to WHO in a room of a few thousand."""


class Verb(StrEnum):
    """What can be asked of the rooms."""

    ENTER = "enter"  # the room `text`, for the first time
    MOVE = "move"  # to the room `text`
    SAY = "say"
    WHO = "who"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Request:
    """Something that the chatter `name` wants. It is answered."""

    number: int
    verb: Verb
    name: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to the request of that number."""

    number: int
    granted: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A line for all people in `room` except `sender`."""

    room: str
    sender: str
    text: str


def encode(message: Request | Answer | Heard) -> bytes:
    """Write a message as a line."""
    return json.dumps([type(message).__name__, *astuple(message)]).encode() + b"\n"


def decode(line: bytes) -> Request | Answer | Heard:
    """Read a line that `encode` has written."""
    match json.loads(line):
        case ["Request", number, verb, name, text]:
            return Request(number, Verb(verb), name, text)
        case ["Answer", number, granted, text]:
            return Answer(number, granted, text)
        case ["Heard", room, sender, text]:
            return Heard(room, sender, text)
    raise ValueError(f"no message: {line!r}")
