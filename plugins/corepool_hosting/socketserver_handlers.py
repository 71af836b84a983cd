"""The protocol `socketserver`: handlers and servers written for the standard library's socketserver, in threads."""

from __future__ import annotations

import logging
import socket
import socketserver
import ssl
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from corepool import Address, Endpoint, Size, hookimpl
from corepool.plugins.loading import load_target
from corepool.streams import BlockingOptions, BlockingProtocol
from corepool_hosting import events
from corepool_hosting.encryption import refuse_twice_encrypted
from corepool_hosting.facade import spell
from corepool_hosting.request_socket import RequestSocket
from corepool_hosting.server_objects import ServerMaker
from corepool_hosting.targets import Target, required_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool import CloseReason, Connection, Worker
    from corepool.streams import BlockingStream

log = logging.getLogger(__name__)


class SocketserverOptions(BlockingOptions):
    """[listener.options] of protocol = "socketserver"."""

    target: Target
    """As "module:attribute": a class derived from socketserver.BaseRequestHandler; or a server, which its handlers find
    as `self.server`: an object or a class derived from socketserver.BaseServer, or a function that returns one, or
    calls its `serve_forever`."""

    directory: str = "."
    """Where modules are imported from first."""

    limit: Size = 1 << 20
    """Bytes that a line may have when it is read without a size; socketserver itself has no limit."""


class SocketserverHandlers(BlockingProtocol):
    """Serve handlers written for socketserver, each connection in a thread."""

    Options = SocketserverOptions

    answers = True

    try_it = "nc {host} {port}"

    def __init__(self, options: SocketserverOptions) -> None:
        super().__init__(options)
        self._target = options.target
        self._directory = options.directory
        self._limit = options.limit
        self._handler: type[socketserver.BaseRequestHandler]
        self._server: socketserver.BaseServer | None = None
        self._maker: ServerMaker | None = None
        self._tls: ssl.SSLContext | None = None
        """Of a server whose listening socket was wrapped for TLS."""

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        maker = ServerMaker(self._target, worker, [*_addresses(worker)])
        target: Any = maker.load(lambda: load_target(self._target, self._directory))
        if isinstance(target, type) and issubclass(target, socketserver.BaseRequestHandler):
            if issubclass(target, socketserver.DatagramRequestHandler):
                raise maker.mistake("it is for datagrams; corepool serves connections")
            self._handler = target
        else:
            self._server = _made(maker, target)
            self._maker = maker
            self._tls = _context_of(maker, self._server, worker)
            for method in _methods_not_called(self._server):
                events.hosted_server_method_not_called(log, target=self._target, method=method)
            if "threads" not in self.options.model_fields_set and not isinstance(
                self._server, socketserver.ThreadingMixIn
            ):
                # It was written to serve one connection at a time, so its handlers may count on that.
                self.options = self.options.model_copy(update={"threads": 1})
                events.hosted_server_serves_one(log, target=self._target)
        super().on_worker_start(worker)

    @hookimpl
    def on_worker_stop(self) -> None:
        super().on_worker_stop()
        if self._maker is not None:
            self._maker.leave()

    @hookimpl
    def on_accept(self, conn: Connection[BlockingStream]) -> None:
        if self._tls is None:
            super().on_accept(conn)
        else:
            conn.start_tls(self._tls)  # in the loop: no thread waits for a handshake

    @hookimpl
    def on_tls(self, conn: Connection[BlockingStream]) -> None:
        if self._tls is None:
            super().on_tls(conn)
        else:
            super().on_accept(conn)

    @hookimpl
    def on_drain(self, conn: Connection[BlockingStream]) -> None:
        if conn.session is not None:  # else TLS was not open yet
            super().on_drain(conn)

    @hookimpl
    def on_close(self, conn: Connection[BlockingStream], reason: CloseReason) -> None:
        if conn.session is not None:
            super().on_close(conn, reason)

    def handle(self, stream: BlockingStream) -> None:
        """Make a handler, which serves while it is made, as in socketserver; or have the server make one."""
        request: Any = RequestSocket(stream, self._limit)
        try:
            if self._server is None:
                handler = self._handler
                is_internet = hasattr(handler, "address_string")  # http.server's takes the host of the address
                server: Any = HostedServer(stream.local, handler)
                handler(request, _peer_of(stream, is_internet=is_internet), server)
            else:
                self._serve(self._server, request, stream)
        finally:
            request.release()

    def _serve(self, server: socketserver.BaseServer, request: Any, stream: BlockingStream) -> None:
        """Do what a server's `process_request` does, in this thread."""
        client: Any = _peer_of(stream, is_internet=getattr(server, "address_family", None) != socket.AF_UNIX)
        try:
            if server.verify_request(request, client):
                server.finish_request(request, client)
        except Exception:
            if type(server).handle_error is socketserver.BaseServer.handle_error:
                raise  # and the log has it
            server.handle_error(request, client)
        server.shutdown_request(request)


def _made(maker: ServerMaker, target: Any) -> socketserver.BaseServer:
    if isinstance(target, socketserver.BaseServer):
        return maker.make(target)
    if isinstance(target, type) and issubclass(target, socketserver.BaseServer):
        return maker.of_class(target)
    if isinstance(target, type) or not callable(target) or iscoroutinefunction(target):
        raise maker.mistake(
            "no class derived from socketserver.BaseRequestHandler or socketserver.BaseServer, "
            "no server, and no function that makes one"
        )
    if required := required_parameters(target):
        raise maker.mistake(f"it wants {', '.join(required)}: expected a function that makes a server of nothing")
    return maker.make(target)


def _methods_not_called(server: socketserver.BaseServer) -> Iterator[str]:
    """Yield the methods that a program has written for its server, and that a pool has no use for."""
    for name in ("get_request", "process_request"):
        home = next((each for each in type(server).__mro__ if name in vars(each)), None)
        if home is not None and home.__module__ != socketserver.__name__:
            yield name


def _context_of(maker: ServerMaker, server: socketserver.BaseServer, worker: Worker) -> ssl.SSLContext | None:
    """Return the context with which a program has wrapped the socket of its server, if it has."""
    listening = getattr(server, "socket", None)
    if not isinstance(listening, ssl.SSLSocket):
        return None
    refuse_twice_encrypted(worker, "socketserver", maker.mistake)
    return listening.context


def _addresses(worker: Worker) -> Iterator[Address]:
    for listener in worker.listeners:
        if listener.protocol == "socketserver":
            for url in listener.bind:
                endpoint = Endpoint.parse(url)
                yield Address(endpoint.path if endpoint.port is None else endpoint.host, endpoint.port)


def _peer_of(stream: BlockingStream, *, is_internet: bool) -> tuple[Any, ...] | str:
    """Return a client's address as its server expects it: one that was written for TCP takes it apart."""
    peer = spell(stream.peer)
    return (peer, 0) if is_internet and isinstance(peer, str) else peer


class HostedServer:
    """The `self.server` of handlers: its address, and their class."""

    def __init__(self, address: Address, handler: type[socketserver.BaseRequestHandler]) -> None:
        self.server_address = spell(address)
        self.RequestHandlerClass = handler
