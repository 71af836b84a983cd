"""The other end of the control socket: one question to a running pool, one answer.

A request and a reply are one JSON object on one line each; the pool closes after its reply.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from typing import TYPE_CHECKING

from corepool.errors import ControlError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A pool answers from its loop, within milliseconds; one that takes this long is stopped or stuck.
_TIMEOUT_S = 5.0

# A status of 512 workers is some 150 KB: more than this is not a pool's answer.
_REPLY_LIMIT = 16 * 1024 * 1024

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid
_TIMEVAL = struct.Struct("2l")


def ask(path: Path, command: str, **arguments: object) -> dict[str, object]:
    """Send `command` to the pool whose control socket is at `path`, and wait for the result.

    :raises ControlError: there is no answer, the answer is not a pool's, or the pool refuses.
    """
    with _connected(path) as sock:
        sock.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
        line = _read_line(sock)
    return _result(line, path)


def pid_of_master(path: Path) -> int:
    """Ask the kernel for the pid of the listening process, in our PID namespace; in its own it may have another.

    :returns: 0 if it can't be seen from here (unix(7), SO_PEERCRED).
    :raises ControlError: no process listens there.
    """
    with _connected(path) as sock:
        pid, _ = _peer_of(sock)
    return pid


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[socket.socket]:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            # connect(2): a socket that doesn't block would fail at once while the backlog is full.
            sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(*divmod(int(_TIMEOUT_S * 1_000_000), 1_000_000))
            )
            sock.connect(str(path))
            sock.settimeout(_TIMEOUT_S)
            _, uid = _peer_of(sock)
            if uid not in (os.geteuid(), 0) and os.geteuid() != 0:
                raise ControlError(f"what answers at {path} is user {uid}'s, and neither ours nor root's")
            yield sock
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        raise ControlError(f"no pool answers at {path}; is it running? (--control PATH chooses another)") from None
    except (TimeoutError, BlockingIOError):
        raise ControlError(f"the pool at {path} did not answer within {_TIMEOUT_S:g} s") from None
    except OSError as error:  # includes a path that is too long for a socket, which has no strerror
        raise ControlError(f"can't query the pool at {path}: {error.strerror or error}") from None


def _peer_of(sock: socket.socket) -> tuple[int, int]:
    """Return the pid and the uid of the process at the other end, as they were when it began to listen."""
    pid, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return pid, uid


def _read_line(sock: socket.socket) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n") and len(received) < _REPLY_LIMIT:
        chunk = sock.recv(65536)
        if not chunk:
            break
        received += chunk
    return bytes(received)


def _result(line: bytes, path: Path) -> dict[str, object]:
    try:
        reply: object = json.loads(line)
    except (ValueError, RecursionError):  # ValueError: JSONDecodeError, UnicodeDecodeError
        reply = None
    match reply:
        case {"ok": True, "result": dict(result)}:
            return result
        case {"ok": False, "error": str(reason)}:
            # The text may come from a process that is no pool: no control character of it reaches the terminal.
            shown = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in reason)
            raise ControlError(f"the pool at {path} refused: {shown}")
        case _:
            raise ControlError(f"the process listening at {path} is not corepool; it answered: {line[:60]!r}")
