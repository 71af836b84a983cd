"""The contract of every transport, as tests to inherit.

class TestMyTransport(TransportContract):
    wrong_urls = ("my://without-port",)

    def make(self):
        return MyTransport()

    def endpoint(self, folder):
        return Endpoint.parse("my://127.0.0.1:0")
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import socket
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar

import pytest

from corepool import Address, Connection, Endpoint, Transport, hookimpl
from corepool.testing.served import ServedHere
from corepool.testing.sockets import connect, receive_all, receive_exactly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


_BACKLOG = 16
_PAYLOAD_BYTES = 1 << 20  # more than the buffers of both sockets hold: both sides meet "would wait"
_POLL_S = 0.01  # then the backlog is looked at again


class TransportContract(ABC):
    """Derive, name the class Test..., and say how to make yours; pytest runs the rest."""

    wrong_urls: ClassVar[Sequence[str]] = ()
    """URLs that `check` must refuse."""

    @abstractmethod
    def make(self) -> Transport:
        """Make a new instance of the transport."""

    @abstractmethod
    def endpoint(self, folder: Path) -> Endpoint:
        """Return an endpoint that is free: port 0, or a path in `folder`, which is empty."""

    def again(self, endpoint: Endpoint, url: str) -> Endpoint:  # noqa: ARG002
        """Return an endpoint for listening once more where `endpoint` was bound, as `url` says.

        Override it if the URLs as bound are not of your own scheme.
        """
        return Endpoint.parse(url)

    def connect(self, url: str) -> socket.socket:
        """Connect to a URL that `Transport.url` gave. Override it for schemes other than tcp and unix."""
        return connect(url)

    def test_is_written_for_this_contract(self) -> None:
        assert isinstance(self.make(), Transport)
        assert self.make().api_version == Transport.api_version

    def test_check_accepts_a_good_endpoint_and_touches_nothing(self, tmp_path: Path) -> None:
        self.make().check(self.endpoint(tmp_path))

        assert list(tmp_path.iterdir()) == []

    def test_check_refuses_wrong_endpoints_in_words(self) -> None:
        for url in self.wrong_urls:
            with pytest.raises(ValueError, match=r"\w+ \w+"):
                self.make().check(Endpoint.parse(url))

    def test_listening_socket_is_nonblocking_and_not_inherited(self, tmp_path: Path) -> None:
        with self._listening(tmp_path) as (_, listening, _):
            assert listening.getblocking() is False
            assert os.get_inheritable(listening.fileno()) is False

    def test_bytes_go_both_ways_to_the_url_as_bound(self, tmp_path: Path) -> None:
        payload = random.Random(1).randbytes(_PAYLOAD_BYTES)  # noqa: S311 - the same bytes every time

        with self._listening(tmp_path) as (transport, listening, url):
            assert self._converse(transport, listening, url, payload) == payload

    def test_addresses_of_an_accepted_connection_have_a_host(self, tmp_path: Path) -> None:
        addresses: list[Address] = []

        def look(accepted: socket.socket) -> None:
            addresses.append(transport.address(accepted.getpeername()))
            addresses.append(transport.address(accepted.getsockname()))

        with self._listening(tmp_path) as (transport, listening, url):
            self._converse(transport, listening, url, b"", look)

        assert len(addresses) == 2
        for address in addresses:
            assert isinstance(address, Address)
            assert address.host
            assert str(address)

    def test_address_of_an_unknown_form_is_no_error(self) -> None:
        for sockaddr in (None, "", b"", ("x",), (1, 2, 3)):
            assert isinstance(self.make().address(sockaddr), Address)

    def test_accepted_tcp_sockets_send_small_pieces_at_once(self, tmp_path: Path) -> None:
        nodelay: list[int] = []

        def look(accepted: socket.socket) -> None:
            if accepted.family in (socket.AF_INET, socket.AF_INET6):
                nodelay.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

        with self._listening(tmp_path) as (transport, listening, url):
            self._converse(transport, listening, url, b"", look)

        assert 0 not in nodelay

    def test_listening_twice_says_address_in_use_and_leaves_the_first_alone(self, tmp_path: Path) -> None:
        endpoint = self.endpoint(tmp_path)
        with self._listening(tmp_path, endpoint) as (transport, listening, url):
            before = set(tmp_path.iterdir())
            second = self.again(endpoint, url)
            with pytest.raises(OSError, match=r"\w+") as raised, self.make().listen(second, _BACKLOG):
                pass

            assert raised.value.errno == errno.EADDRINUSE
            assert set(tmp_path.iterdir()) == before
            assert self._converse(transport, listening, url, b"still there") == b"still there"

    def test_close_leaves_nothing_on_disk_and_may_come_twice(self, tmp_path: Path) -> None:
        transport, endpoint = self.make(), self.endpoint(tmp_path)

        with transport.listen(endpoint, _BACKLOG) as listening:
            transport.close(endpoint, listening)
            transport.close(endpoint, listening)

            assert listening.fileno() == -1
            assert list(tmp_path.iterdir()) == []

    def test_goes_on_serving_after_its_files_were_read_again(self, tmp_path: Path) -> None:
        endpoint = self.endpoint(tmp_path)
        with self._listening(tmp_path, endpoint) as (transport, listening, url):
            assert transport.refresh(endpoint) is None, "nothing has changed since the call before"
            assert self._converse(transport, listening, url, b"again") == b"again"

    def test_serves_with_the_state_of_another_instance(self, tmp_path: Path) -> None:
        endpoint = self.endpoint(tmp_path)
        state = self.make().refresh(endpoint)
        with self._listening(tmp_path, endpoint) as (transport, listening, url):
            for _ in range(2):
                if state is not None:
                    transport.refreshed(state)
                assert self._converse(transport, listening, url, b"as told") == b"as told"

    def test_can_be_bound_again_at_once_although_connections_were_open(self, tmp_path: Path) -> None:
        first = self.endpoint(tmp_path)
        with self._listening(tmp_path, first) as (transport, listening, url):
            self._converse(transport, listening, url, b"x")

        with self._listening(tmp_path, self.again(first, url)):
            pass

    @contextlib.contextmanager
    def _listening(
        self, folder: Path, endpoint: Endpoint | None = None
    ) -> Iterator[tuple[Transport, socket.socket, str]]:
        transport, endpoint = self.make(), endpoint or self.endpoint(folder)
        transport.refresh(endpoint)
        with transport.listen(endpoint, _BACKLOG) as listening:  # closes it where the transport fails to
            try:
                yield transport, listening, transport.url(endpoint, listening)
            finally:
                transport.close(endpoint, listening)

    def _converse(
        self,
        transport: Transport,
        listening: socket.socket,
        url: str,
        payload: bytes,
        look: Callable[[socket.socket], None] = lambda _: None,
    ) -> bytes:
        """Have a client send `payload` to an echo server of ours; return what the client received.

        The client is a thread, since a transport may need both sides at once (a TLS handshake).
        Connections that others left in the backlog (a probe whether a server listens) are served on the way.

        :param look: called with each accepted socket.
        """
        family = listening.family
        with ThreadPoolExecutor(1) as threads, ServedHere(_Echo(), transport=transport, family=family) as served:
            client = threads.submit(self._be_client, url, payload)
            while not client.done():
                served.turn(_POLL_S)
                with contextlib.suppress(BlockingIOError):
                    accepted, _ = listening.accept()
                    look(accepted)
                    accepted.setblocking(False)
                    served.service.take_accepted(accepted.detach())
            return client.result()

    def _be_client(self, url: str, payload: bytes) -> bytes:
        """Send everything while receiving it back, then wait for the other side's end."""
        with self.connect(url) as client, ThreadPoolExecutor(1) as threads:
            sent = threads.submit(client.sendall, payload)
            received = receive_exactly(client, len(payload))
            sent.result()
            client.shutdown(socket.SHUT_WR)
            return received + receive_all(client)


class _Echo:
    @hookimpl
    def on_readable(self, conn: Connection) -> None:
        conn.send(conn.recv())
