"""Which of several protocols a connection has, by its first bytes. Pure: nothing here reads or waits.

The protocols are asked in the order of the configuration, and the first one that doesn't answer False decides: True
chooses it, None waits for more bytes. So a protocol that matches later in the list never overtakes one that needs more
bytes to tell, and the same bytes lead to the same protocol, however the network has cut them. When no more bytes will
be looked at, None counts as False.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MAX_LOOKED_AT = 1024
"""Bytes that are looked at before None counts as False: enough for most request lines of HTTP."""

_PROBES = (bytes(MAX_LOOKED_AT), b"\xff" * MAX_LOOKED_AT, b"~\r\n", b"corepool?\r\n")
"""Beginnings that no protocol has in common: one that matches all of them matches everything."""


class Recogniser:
    """The protocols of one listener, and the one that serves connections that no other one matches."""

    def __init__(self, protocols: Sequence[tuple[str, object]], default: str | None) -> None:
        """Ask `protocols`, each with its name, in this order."""
        self._asked = [(name, matches) for name, protocol in protocols if (matches := matches_of(protocol))]
        self._default = default or ""

    def choose(self, data: bytes, *, is_all: bool) -> str | None:
        """Return the name of the protocol, "" if there is none, or None: more bytes are needed.

        :param data: the first bytes of the connection, at least one, MAX_LOOKED_AT at most.
        :param is_all: no more will be looked at.
        :raises BaseException: of a protocol.
        """
        if data:
            for name, matches in self._asked:
                answer = _ask(name, matches, data)
                if answer:
                    return name
                if answer is None and not is_all:
                    return None
            return self._default
        return self._default if is_all else None


def matches_of(protocol: object) -> Callable[[bytes], object] | None:
    """Return the `matches` of a protocol, if it has one."""
    found: Callable[[bytes], object] | None = getattr(protocol, "matches", None)
    return found if callable(found) else None


def find_mistakes(protocols: Sequence[tuple[str, object]], default: str | None) -> Iterator[tuple[str, str]]:
    """Yield the name of a protocol, and its mistake, for each that would never be chosen.

    :raises BaseException: of a protocol.
    """
    takes_all: str | None = None
    for name, protocol in protocols:
        matches = matches_of(protocol)
        if matches is None:
            if name != default:
                yield name, f'it has no `matches`, and only the default can do without one: default = "{name}"'
            continue
        if takes_all is not None:
            yield name, f"{takes_all!r} before it matches every connection; put that one last"
        elif [_ask(name, matches, probe) for probe in _PROBES] == [True] * len(_PROBES):
            takes_all = name


def _ask(name: str, matches: Callable[[bytes], object], data: bytes) -> bool | None:
    answer = matches(data)
    if answer is None or isinstance(answer, bool):
        return answer
    raise TypeError(f"matches() of protocol {name!r} has returned {answer!r}; expected True, False or None")
