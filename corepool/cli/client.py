"""The other end of the control socket: one question to a running pool, one answer.

A request and a reply are one JSON object on one line each; the pool closes after its reply. Each reply names the pool.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import time
from typing import TYPE_CHECKING, NamedTuple

from corepool.errors import ControlError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

# A pool answers from its loop, within milliseconds; one that takes this long is stopped or stuck.
_TIMEOUT_S = 5.0

# A status of 512 workers is some 150 KB: more than this is not a pool's answer.
_REPLY_LIMIT = 16 * 1024 * 1024

_MAX_UPTIME_S = 1e12  # more is no time; and an integer that no float holds can't be shown

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid
_TIMEVAL = struct.Struct("2l")


class About(NamedTuple):
    """The pool that has answered, as it names itself."""

    name: str
    pid: int
    configuration: str | None

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid}, {self.configuration or 'no configuration'})"


class Peer(NamedTuple):
    """The process that listens at a control socket."""

    pid: int
    """In our PID namespace, in its own it may have another; 0: it can't be seen from here (unix(7), SO_PEERCRED)."""
    uid: int


class Answer(NamedTuple):
    """The result of a command, and the pool that it is from; a master of another version may not name itself."""

    result: dict[str, object]
    about: About | None


def ask(path: Path, command: str, **arguments: object) -> Answer:
    """Send `command` to the pool whose control socket is at `path`, and wait for the result.

    :raises ControlError: there is no answer, the answer is not a pool's, or the pool refuses.
    """
    with _connected(path) as (sock, _):
        sock.sendall(_request(command, **arguments))
        line = _read_line(sock)
    return _answer(line, path)


def status_of_each(paths: Iterable[Path]) -> Iterator[tuple[Path, Peer, Answer | None]]:
    """Ask every pool for its status, all at the same time.

    Only those are asked that are run by the owner of their folder: a link that another user has made may lead root to
    any socket.

    :returns: those that listen. None: it has not answered in time, or not as a pool does.
    """
    with contextlib.ExitStack() as stack:
        asked: list[tuple[Path, Peer, socket.socket]] = []
        for path in paths:
            try:
                sock, peer = stack.enter_context(_connected(path))
                if path.parent.stat().st_uid != peer.uid:
                    continue
            except (ControlError, OSError):  # left by a pool that was killed, or not one of ours
                continue
            asked.append((path, peer, sock))
            with contextlib.suppress(OSError):
                sock.sendall(_request("status"))
        give_up = time.monotonic() + _TIMEOUT_S
        for path, peer, sock in asked:
            sock.settimeout(max(0.01, give_up - time.monotonic()))
            try:
                answer = _answer(_read_line(sock), path)
            except (OSError, ControlError):
                answer = None
            yield path, peer, answer if answer is None or _is_status(answer.result) else None


def pid_of_master(path: Path) -> int:
    """Ask the kernel for the pid of the listening process, in our PID namespace; in its own it may have another.

    :returns: 0 if it can't be seen from here (unix(7), SO_PEERCRED).
    :raises ControlError: no process listens there.
    """
    with _connected(path) as (_, peer):
        return peer.pid


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[tuple[socket.socket, Peer]]:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            # connect(2): a socket that doesn't block would fail at once while the backlog is full.
            sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(*divmod(int(_TIMEOUT_S * 1_000_000), 1_000_000))
            )
            sock.connect(str(path))
            sock.settimeout(_TIMEOUT_S)
            peer = _peer_of(sock)
            if peer.uid not in (os.geteuid(), 0) and os.geteuid() != 0:
                raise ControlError(f"what answers at {path} is user {peer.uid}'s, and neither ours nor root's")
            yield sock, peer
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        raise ControlError(f"no pool answers at {path}; is it running? (--control PATH chooses another)") from None
    except (TimeoutError, BlockingIOError):
        raise ControlError(f"the pool at {path} did not answer within {_TIMEOUT_S:g} s") from None
    except OSError as error:  # includes a path that is too long for a socket, which has no strerror
        raise ControlError(f"can't query the pool at {path}: {error.strerror or error}") from None


def _peer_of(sock: socket.socket) -> Peer:
    """Return the process at the other end, as it was when it began to listen."""
    pid, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return Peer(pid, uid)


def _request(command: str, **arguments: object) -> bytes:
    return json.dumps({"command": command, **arguments}).encode() + b"\n"


def _read_line(sock: socket.socket) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n") and len(received) < _REPLY_LIMIT:
        chunk = sock.recv(65536)
        if not chunk:
            break
        received += chunk
    return bytes(received)


def _answer(line: bytes, path: Path) -> Answer:
    try:
        reply: object = json.loads(line)
    except (ValueError, RecursionError):  # ValueError: JSONDecodeError, UnicodeDecodeError
        reply = None
    match reply:
        case {"ok": True, "result": dict(result), **more}:
            return Answer(result, _about(more.get("pool")))
        case {"ok": False, "error": str(reason), **more}:
            about = _about(more.get("pool"))
            raise ControlError(f"{f'pool {about}' if about else f'the pool at {path}'} refused: {_shown(reason)}")
        case _:
            raise ControlError(f"the process listening at {path} is not corepool; it answered: {line[:60]!r}")


def _is_status(result: Mapping[str, object]) -> bool:
    """Return whether an answer is a master's status: perhaps of another version, but without a wrong type."""
    match result:
        case {"listeners": [*listeners]}:
            if not all(map(_is_listener, listeners)):
                return False
        case {"listeners": _}:
            return False
    uptime = result.get("uptime", 0)
    is_number = isinstance(uptime, int | float) and abs(uptime) < _MAX_UPTIME_S
    return is_number and isinstance(result.get("state", ""), str)


def _is_listener(told: object) -> bool:
    match told:
        case {"name": str(), "bind": [*bind]}:
            return all(isinstance(each, str) for each in bind)
        case _:
            return False


def _about(told: object) -> About | None:
    match told:
        case {"name": str(name), "pid": int(pid), "configuration": str() | None as configuration}:
            return About(in_one_line(name), pid, configuration and in_one_line(configuration))
        case _:
            return None


def in_one_line(text: str) -> str:
    """Return a text that another user may have written: none of its control characters reaches the terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _shown(text: str) -> str:
    """Return a text of several lines that may come from a process that is no pool, as `in_one_line`."""
    return "\n".join(map(in_one_line, text.split("\n")))
