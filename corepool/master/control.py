"""The control socket: how commands reach the running pool, inside the master's own loop.

A client sends one line, a JSON object {"command": NAME, ...its arguments}, and gets one line back:
{"ok": true, "pool": ..., "result": ...} or {"ok": false, "pool": ..., "error": "..."}; then the master closes. `pool`
names the one that answers: name, pid, configuration. A request may have "to": PID, the master that it is meant for:
between the moments when a client finds a pool and commands it, another one may have taken the path. Clients are few,
short, and never waited for: slow clients, huge requests and garbage are dropped without disturbing the pool.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
from select import EPOLLIN, EPOLLOUT
from typing import TYPE_CHECKING

from corepool.config.runtime import MAX_CONTROL_PATH_BYTES, refuse_others_folder
from corepool.errors import ControlError, ControlSocketTakenError
from corepool.files import socketfile
from corepool.files.descriptors import release
from corepool.guards import HOOK_ERRORS
from corepool.logs.rate_limited import RateLimitedLog
from corepool.master import events
from corepool.system.accepting import ExhaustedError, accept_one

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from corepool.config.runtime import Place
    from corepool.master.loop import Loop

log = logging.getLogger(__name__)

MAX_CLIENTS = 16
MAX_REQUEST_BYTES = 65_536
CLIENT_TIMEOUT_S = 5.0

_REST_S = 1.0
"""How long the socket is left alone when the system gives no connection."""


class ControlSocket:
    """Listens at `path`, mode 0600, for commands."""

    def __init__(
        self,
        path: Path,
        commands: Mapping[str, Callable[[Mapping[str, object]], object]],
        place: Place | None = None,
    ) -> None:
        """Prepare; `listen` opens it.

        :param place: the pool's name, and where commands find it. If that is `path`, a folder that isn't ours alone is
            refused, since the operator has not chosen it; else it is for a link to `path`, if the place is listed.
            None: they don't find it.
        """
        self._place = place
        self._path = path
        self._beside = path.with_name(f"{path.name}~")
        self._bound_at = path
        self._commands = commands
        self._loop: Loop | None = None
        self._socket: socket.socket | None = None
        self._identity: tuple[int, int] | None = None
        self._clients: set[_Client] = set()
        self._rate_limited = RateLimitedLog(log)

    def listen(self, *, beside: bool = False) -> None:
        """Bind and listen; a stale socket file is replaced.

        :param beside: under another name, since the master before us still answers; `take_place` ends that.
        :raises ControlSocketTakenError: another process listens there already, or the path is no socket's.
        :raises ControlError: the path can't be made.
        """
        if len(os.fsencode(self._path)) > MAX_CONTROL_PATH_BYTES:
            raise ControlError(f"control socket {self._path}: the path has more than {MAX_CONTROL_PATH_BYTES} bytes")
        path = self._beside if beside else self._path
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._is_at_default:
                refuse_others_folder(self._path)
                socketfile.remove_stale_link(path)
            self._identity = socketfile.listen_at(sock, path, 0o600, MAX_CLIENTS)
        except OSError as error:
            sock.close()
            kind = ControlSocketTakenError if error.errno == errno.EADDRINUSE else ControlError
            raise kind(f"control socket {self._path}: {error.strerror or error}") from None
        except ControlError:
            sock.close()
            raise
        self._bound_at = path
        self._socket = sock

    def link(self, place: Place) -> None:
        """Have commands find it in the run-time folder as well.

        :raises OSError: the link can't be made, or its path is taken.
        :raises ControlError: the folder isn't ours alone.
        """
        place.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_others_folder(place.path)
        socketfile.link(place.path, self._path.absolute())
        self._place = place

    def take_place(self) -> None:
        """Answer under the right name, in place of the master before us. Serving matters more: nothing is raised."""
        if self._socket is None or self._bound_at == self._path:
            return
        try:
            self._bound_at.rename(self._path)
            self._bound_at = self._path
        except OSError as error:
            events.control_socket_not_renamed(log, path=self._bound_at, reason=error.strerror)
            return
        if self._has_link:
            assert self._place is not None
            try:
                refuse_others_folder(self._place.path)  # it may have become another user's
                socketfile.replace_by_link(self._place.path, self._path.absolute())
            except (OSError, ControlError) as error:
                events.pool_not_listed(log, path=self._path, reason=error)

    def remove_new_masters_file(self) -> None:
        """Remove the socket file left by a new master that was killed before it took our place."""
        if self._bound_at == self._path:
            socketfile.remove_stale(self._beside)

    def start(self, loop: Loop) -> None:
        """Answer from now on, if it listens."""
        if self._socket is not None:
            self._loop = loop
            loop.watch(self._socket.fileno(), EPOLLIN, self._on_event)

    def close(self) -> None:
        """Stop listening, drop the clients, remove the file if it is still ours. Idempotent."""
        for client in list(self._clients):
            client.close()
        if self._socket is None:
            return
        if self._loop is not None:
            self._loop.unwatch(self._socket.fileno())
        if self._identity is not None:
            socketfile.remove(self._bound_at, self._identity)
        if self._place is not None and self._has_link and not self._path.exists():
            # A new master that has taken over the path has taken over the link as well.
            socketfile.unlink(self._place.path, self._path.absolute())
        release(self._socket.detach())
        self._socket = None

    def answer(self, line: bytes) -> bytes:
        """Carry out one request, and give the reply as a line."""
        pid = os.getpid()
        try:
            request = json.loads(line)
            name = request["command"]
            command = self._commands[name]
        except (ValueError, TypeError, KeyError, RecursionError):
            known = ", ".join(sorted(self._commands))
            reply: dict[str, object] = {
                "ok": False,
                "error": f'no such command; send {{"command": NAME}}, where NAME is one of: {known}',
            }
        else:
            if request.get("to", pid) == pid:
                reply = _carry_out(name, command, request)
            else:
                reply = {"ok": False, "error": f"meant for pid {request['to']}, which is another master"}
        if self._place is not None:
            reply["pool"] = {"name": self._place.name, "pid": pid, "configuration": self._place.file}
        return json.dumps(reply).encode() + b"\n"

    @property
    def _is_at_default(self) -> bool:
        return self._place is not None and self._place.path == self._path

    @property
    def _has_link(self) -> bool:
        return self._place is not None and self._place.is_listed and not self._is_at_default

    def _on_event(self, mask: int) -> None:  # noqa: ARG002
        assert self._socket is not None
        assert self._loop is not None
        try:
            accepted = accept_one(self._socket)
        except (ExhaustedError, OSError) as error:
            # The client waits; the loop must not spin meanwhile.
            events.control_socket_paused(self._rate_limited, reason=error, retry_s=_REST_S)
            self._loop.unwatch(self._socket.fileno())
            self._loop.call_later(_REST_S, lambda: self.start(self._loop) if self._socket and self._loop else None)
            return
        if accepted is None:
            return
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, accepted[0])  # accept_one has made it not to block
        if len(self._clients) >= MAX_CLIENTS:
            release(sock.detach())
            return
        self._clients.add(_Client(sock, self._loop, self.answer, self._clients.discard))


class _Client:
    """One connection to the control socket: reads a line, writes a line, ends."""

    def __init__(
        self,
        sock: socket.socket,
        loop: Loop,
        answer: Callable[[bytes], bytes],
        on_close: Callable[[_Client], None],
    ) -> None:
        self._socket = sock
        self._loop = loop
        self._answer = answer
        self._on_close = on_close
        self._input = bytearray()
        self._output = b""
        self._timer = loop.call_later(CLIENT_TIMEOUT_S, self.close)
        loop.watch(sock.fileno(), EPOLLIN, self._on_event)

    def close(self) -> None:
        """End it. To be called once."""
        self._timer.cancel()
        self._loop.unwatch(self._socket.fileno())
        release(self._socket.detach())
        self._on_close(self)

    def _on_event(self, mask: int) -> None:  # noqa: ARG002
        try:
            done = self._write() if self._output else self._read()
        except BlockingIOError:
            return
        except OSError:
            done = True  # the client is gone
        if done:
            self.close()

    def _read(self) -> bool:
        data = self._socket.recv(MAX_REQUEST_BYTES)
        end = data.find(b"\n")
        self._input += data if end < 0 else data[:end]
        if len(self._input) > MAX_REQUEST_BYTES:
            return True
        if end < 0:
            return not data
        self._output = self._answer(bytes(self._input))
        self._loop.change(self._socket.fileno(), EPOLLOUT)
        return False

    def _write(self) -> bool:
        sent = self._socket.send(self._output)
        self._output = self._output[sent:]
        return not self._output


def _carry_out(
    name: str, command: Callable[[Mapping[str, object]], object], request: Mapping[str, object]
) -> dict[str, object]:
    try:
        return {"ok": True, "result": command(request)}
    except ControlError as error:
        return {"ok": False, "error": str(error)}
    except HOOK_ERRORS as error:  # a reload runs plugins' code
        events.control_command_failed.exception(log, error, command=name)
        return {"ok": False, "error": "internal error; see the log"}
