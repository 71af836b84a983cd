"""The server objects of socketserver, made by a target without a socket being bound: the pool has that.

A target runs in a thread of its own, as it would in a program: it may make a server and return it, or call
`serve_forever`, which waits there until the worker leaves, and returns. The first server that it makes is hosted; a
second is refused, since no connection would ever reach it. Other code of the worker gets real servers at any time: what
counts is the thread that makes one.

socketserver has no place for this. Its `server_bind`, `server_activate`, `serve_forever`, `handle_request` and
`shutdown` are replaced, and call the originals for servers that are not ours.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from typing import TYPE_CHECKING, Any

from corepool.plugins.loading import LoadError
from corepool_hosting.facade import spell
from corepool_hosting.targets import required_parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool import Address, Worker

_PAUSE_S = 0.5
"""The time between calls of `service_actions`, as socketserver has it."""


class ServerMaker:
    """Runs a target until there is a server, and keeps it until the worker leaves."""

    def __init__(self, target: str, worker: Worker, addresses: list[Address]) -> None:
        """Prepare.

        :param target: what messages call it.
        :param addresses: of the listeners that it is for.
        """
        self._target = target
        self._worker = worker
        self._addresses = addresses
        self._threads: set[int] = set()
        self._changed = threading.Condition()
        self._server: socketserver.BaseServer | None = None
        self._is_found = False
        """The server may be served: it was returned, or is asked to serve."""
        self._leaves = threading.Event()
        self._is_ready = False
        self._is_leaving = False
        self._error: BaseException | None = None
        self._has_ended = False
        self._thread: threading.Thread | None = None

    def load(self, load: Callable[[], object]) -> object:
        """Import the target, whose module may make a server at once."""
        _replace(self)
        self._threads.add(threading.get_ident())
        try:
            return load()
        finally:
            self._threads.discard(threading.get_ident())

    def make(self, target: object) -> socketserver.BaseServer:
        """Return the server that a target is, or makes.

        :raises LoadError: it makes none, or one that can't be hosted.
        :raises BaseException: whatever the target raises.
        """
        self._thread = threading.Thread(target=self._run, args=(target,), name="hosted server", daemon=True)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_found or self._has_ended,
                0.9 * self._worker.boot_s(),  # after all of it the master would take it for hung
            )
        if self._error is not None:
            raise self._error
        if self._server is None or not self._is_found:
            if self._has_ended:
                raise self.mistake("it has returned, and made no server of socketserver")
            raise self.mistake(f"it has not made a server within boot_timeout ({self._worker.boot_timeout:g} s)")
        self._is_ready = True
        return self._server

    def leave(self) -> None:
        """Have `serve_forever` return, and let the target clean up."""
        self._is_leaving = True
        self._leaves.set()
        if self._thread is not None:
            self._thread.join(self._worker.last_words_s())

    def mistake(self, what: str) -> LoadError:
        """Return an error about the target."""
        return LoadError(f"target = {self._target!r}: {what}")

    # --- what the replaced methods call

    def owns(self, server: socketserver.BaseServer) -> bool:
        """Return whether it is the hosted server."""
        return server is self._server

    def makes(self) -> bool:
        """Return whether the current thread is the target's."""
        return threading.get_ident() in self._threads

    def bind(self, server: socketserver.TCPServer) -> None:
        """Take the place of bind(2)."""
        if server.socket_type != socket.SOCK_STREAM:
            raise self.mistake("its server is for datagrams; corepool serves connections")
        if self._server not in (None, server):
            raise self.mistake("it makes a second server; corepool serves the first one only: give each a listener")
        self._server = server
        is_path = server.address_family == socket.AF_UNIX
        fitting = [each for each in map(spell, self._addresses) if isinstance(each, str) == is_path]
        if fitting:  # else as it was written: what a program does with its own address must not fail
            server.server_address = fitting[0]  # type: ignore[assignment]  # of UNIX sockets it is a path

    def serve(self, server: socketserver.BaseServer) -> None:
        """Take the place of `serve_forever`."""
        self._found(server)
        while not self._leaves.wait(_PAUSE_S):
            server.service_actions()

    def shut_down(self) -> None:
        """Take the place of `shutdown`: the program wants to end."""
        self._leaves.set()

    def of_class(self, made: type[socketserver.BaseServer]) -> socketserver.BaseServer:
        """Return the server that a class makes, of the address alone."""
        required = required_parameters(made)
        if len(required) > 1:
            raise self.mistake(
                f"it can't be made without {', '.join(required[1:])}: name a function instead that makes one, "
                f"`def main(): return {made.__name__}(...)`"
            )
        address = spell(self._addresses[0]) if self._addresses else ("127.0.0.1", 0)
        return self.make(lambda: made(*[address for _ in required]))  # type: ignore[arg-type]

    def _found(self, server: socketserver.BaseServer) -> None:
        with self._changed:
            self._server = server
            self._is_found = True
            self._changed.notify_all()

    def _run(self, target: Any) -> None:
        self._threads.add(threading.get_ident())
        try:
            returned = target if isinstance(target, socketserver.BaseServer) else target()
            if not self._is_found:
                server = returned if isinstance(returned, socketserver.BaseServer) else self._server
                if server is not None:  # of an object that has one, say: dnslib's DNSServer
                    self.serve(server)
        except BaseException as error:  # noqa: BLE001  # SystemExit, too: a program that ends itself serves nothing
            self._error = error
        finally:
            self._threads.discard(threading.get_ident())
            with self._changed:
                self._has_ended = True
                self._changed.notify_all()
        if self._is_ready and not self._is_leaving:
            failure = self._error or self.mistake("it has shut its server down and returned")
            failure.add_note(f"target = {self._target!r}")
            self._worker.loop.call_soon_threadsafe(self._worker.fail, failure)


def _replace(maker: ServerMaker) -> None:
    """Replace the methods of socketserver that touch the listening socket, for the life of this worker."""
    server, tcp = socketserver.BaseServer, socketserver.TCPServer
    real_bind, real_activate, real_serve = tcp.server_bind, tcp.server_activate, server.serve_forever
    real_handle, real_shutdown = server.handle_request, server.shutdown

    def server_bind(self: socketserver.TCPServer) -> None:
        maker.bind(self) if maker.makes() else real_bind(self)

    def server_activate(self: socketserver.TCPServer) -> None:
        if not maker.owns(self):
            real_activate(self)

    def serve_forever(self: socketserver.BaseServer, poll_interval: float = _PAUSE_S) -> None:
        maker.serve(self) if maker.owns(self) else real_serve(self, poll_interval)

    def handle_request(self: socketserver.BaseServer) -> None:
        maker.serve(self) if maker.owns(self) else real_handle(self)

    def shutdown(self: socketserver.BaseServer) -> None:
        maker.shut_down() if maker.owns(self) else real_shutdown(self)

    tcp.server_bind = server_bind  # type: ignore[method-assign]
    tcp.server_activate = server_activate  # type: ignore[method-assign,assignment]
    server.serve_forever = serve_forever  # type: ignore[method-assign]
    server.handle_request = handle_request  # type: ignore[method-assign]
    server.shutdown = shutdown  # type: ignore[method-assign]
