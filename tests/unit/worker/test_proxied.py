"""Connections that begin with a PROXY header, in a service over real socket pairs."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layers import HELLO, WELCOME, Framed, Layered, Unframer, frame
from proxy_headers import AUTHORITY, LOCAL, PROXY, TCP4, UNIX, checked, ips, paths, tlv, v1, v2

from corepool import Address, CloseReason, hookimpl
from corepool.ipc.crash_slots import Status
from corepool.testing.served import ServedHere

if TYPE_CHECKING:
    from corepool.hot.connection import Connection

PEER, SERVER = ("203.0.113.7", 4711), ("198.51.100.1", 443)
V1 = v1(PEER, SERVER)
V2 = checked(TCP4, ips(PEER, SERVER) + tlv(AUTHORITY, b"shop.example"))
HEADERS = pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])


class Echo:
    """Sends everything back, and notes what it is told."""

    def __init__(self) -> None:
        self.met: list[Any] = []
        self.reasons: list[CloseReason] = []
        self.lost: list[Address] = []

    @hookimpl
    def on_accept(self, conn: Any) -> None:
        assert conn.session is None
        assert not conn.busy
        self.met.append(conn)

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        conn.send(conn.recv())

    @hookimpl
    def on_close(self, reason: CloseReason) -> None:
        self.reasons.append(reason)

    @hookimpl
    def on_freeze(self) -> bytes:
        return b"state"

    @hookimpl
    def on_thaw(self, conn: Any) -> None:
        self.met.append(conn)

    @hookimpl
    def on_lost(self, conn: Any) -> None:
        self.lost.append(conn.peer)


def serve(protocol: object, **options: Any) -> ServedHere:
    return ServedHere(protocol, **{"accept_proxy": ["unix"], **options})


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(65536) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def receive(here: ServedHere, client: socket.socket, count: int) -> bytes:
    found = b""

    def is_enough() -> bool:
        nonlocal found
        try:
            found += client.recv(65536)
        except BlockingIOError:
            return False
        return len(found) >= count

    here.turn_until(is_enough)
    return found


@HEADERS
def test_the_addresses_of_a_connection_are_those_of_its_header(header: bytes) -> None:
    protocol = Echo()
    with serve(protocol) as here, here.connect() as client:
        client.sendall(header + b"hello")
        assert receive(here, client, 5) == b"hello"

        (conn,) = protocol.met
        assert (conn.peer, conn.local) == (Address(*PEER), Address(*SERVER))
        assert conn.facts["proxy"].authority == ("shop.example" if header == V2 else None)
        assert conn.bytes_in == here.service.bytes_in == len(header) + 5
        assert here.service.proxy_failures == 0


@HEADERS
def test_a_header_may_come_byte_by_byte_and_no_event_is_reported_twice(header: bytes) -> None:
    """Bytes that were looked at and left in the kernel would be reported again and again: a worker would spin."""
    protocol = Echo()
    with serve(protocol) as here, here.connect() as client:
        for place in range(len(header)):
            assert not protocol.met
            client.sendall(header[place : place + 1])
            here.turn()
            assert not here.reactor.epoll.poll(0)  # type: ignore[union-attr]
        assert len(protocol.met) == 1
        client.sendall(b"hello")
        assert receive(here, client, 5) == b"hello"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from([V1, V2]), st.lists(st.integers(1, 150), max_size=5))
def test_any_cutting_of_header_and_request_gives_the_same_bytes(header: bytes, cuts: list[int]) -> None:
    data = header + b"hello " * 10
    places = sorted({min(place, len(data)) for place in cuts} | {0, len(data)})
    protocol = Echo()
    with serve(protocol) as here, here.connect() as client:
        for begin, end in pairwise(places):
            client.sendall(data[begin:end])
            here.turn()
        assert receive(here, client, 60) == b"hello " * 10


def test_a_peer_outside_the_list_is_served_without_a_header_and_its_header_is_not_believed() -> None:
    protocol = Echo()
    with serve(protocol, accept_proxy=["10.0.0.0/8"]) as here, here.connect() as client:
        client.sendall(V1)
        assert receive(here, client, len(V1)) == V1  # it is the protocol's, as any bytes

        (conn,) = protocol.met
        assert conn.peer == Address("memory")
        assert "proxy" not in conn.facts


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 nonsense\r\n", b"\x16\x03\x01", V2[:-1] + b"?", b"PROXY " + b"x" * 101],
)
def test_a_wrong_header_ends_the_connection_with_a_counter_and_the_protocol_does_not_hear_of_it(
    data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    protocol = Echo()
    with serve(protocol) as here, here.connect() as client:
        client.sendall(data)
        here.turn_until(lambda: is_closed(client))

        assert here.service.proxy_failures == 1
        assert not here.connections()
    assert (protocol.met, protocol.reasons) == ([], [])
    assert "proxy_header_refused" in caplog.text


@pytest.mark.parametrize("length", range(1, len(V1)))
def test_a_header_that_ends_in_the_middle_is_a_failure(length: int) -> None:
    with serve(Echo()) as here, here.connect() as client:
        client.sendall(V1[:length])
        client.shutdown(socket.SHUT_WR)
        here.turn_until(lambda: is_closed(client))
        assert here.service.proxy_failures == 1


def test_a_connection_without_a_byte_is_none() -> None:
    """A proxy's check may only connect."""
    protocol = Echo()
    with serve(protocol) as here, here.connect() as client:
        client.shutdown(socket.SHUT_WR)
        here.turn_until(lambda: is_closed(client))
        assert here.service.proxy_failures == 0
    assert (protocol.met, protocol.reasons) == ([], [])


def test_a_header_has_a_deadline_which_bytes_do_not_move() -> None:
    protocol = Echo()
    with serve(protocol, accept_proxy_timeout="50ms") as here, here.connect() as client:
        sent = 0

        def dribble() -> bool:
            nonlocal sent
            here.loop.turn()
            if sent < len(V1) - 1:
                with suppress(BrokenPipeError):  # it may be over already
                    client.sendall(V1[sent : sent + 1])
                sent += 1
            return is_closed(client)

        here.turn_until(dribble)
        assert here.service.proxy_failures == 1
    assert not protocol.met


def test_a_proxy_that_speaks_for_itself_has_its_own_address() -> None:
    protocol = Echo()
    with serve(protocol) as here, here.connect() as client:
        client.sendall(v2(LOCAL, TCP4, ips(PEER, SERVER)) + b"hello")
        assert receive(here, client, 5) == b"hello"
        (conn,) = protocol.met
        assert (conn.peer, conn.facts["proxy"].version) == (Address("memory"), 2)


def test_layers_begin_behind_the_header_and_are_made_for_the_client() -> None:
    protocol = Echo()
    peers: list[Address] = []

    class Noted(Layered):
        def layers(self, peer: Address) -> Any:
            peers.append(peer)
            return super().layers(peer)

    with serve(protocol, transport=Noted(lambda: [Framed()])) as here, here.connect() as client:
        client.sendall(V1 + HELLO + frame(b"hello"))
        received = receive(here, client, len(WELCOME) + len(frame(b"hello")))

        assert received.startswith(WELCOME)
        assert Unframer().feed(received[len(WELCOME) :]) == b"hello"
        assert peers == [Address(*PEER)]
        (conn,) = protocol.met
        assert conn.peer == Address(*PEER)
        assert conn.facts["framed"] is True
        assert conn.facts["proxy"].version == 1


@pytest.mark.parametrize("failing", [True, False], ids=["layers that fail", "no layers"])
def test_layers_that_are_not_made_cost_their_connection(failing: bool) -> None:  # noqa: FBT001
    protocol = Echo()

    def make() -> list[Any]:
        if failing:
            raise RuntimeError("no layers today")
        return []

    with serve(protocol, transport=Layered(make)) as here, here.connect() as client:
        client.sendall(V1 + b"hello")
        if failing:
            here.turn_until(lambda: is_closed(client))
            assert here.service.hook_errors == 1
        else:
            assert receive(here, client, 5) == b"hello"


def frozen(here: ServedHere, conn: Connection) -> bytes:
    record = here.service.moving.freeze(conn)
    assert record is not None
    return record.encode()


@pytest.mark.parametrize("header", [V1, V2, v2(PROXY, UNIX, paths(b"/run/a.sock", b"/run/b.sock"))])
def test_a_connection_that_moves_takes_its_facts_along(header: bytes) -> None:
    before, after = Echo(), Echo()
    with serve(before) as here, serve(after) as there, here.connect() as client:
        client.sendall(header)
        here.turn_until(lambda: bool(before.met))
        (conn,) = here.connections()
        assert conn.can_move
        assert conn.is_idle
        peer, local, facts = conn.peer, conn.local, conn.facts
        there.service.take_frozen(os.dup(conn.fileno()), frozen(here, conn))

        (moved,) = after.met
        assert (moved.peer, moved.local, moved.facts) == (peer, local, facts)
        client.sendall(b"hello")
        assert receive(there, client, 5) == b"hello"


def test_a_connection_that_waits_for_its_header_does_not_move_and_a_drain_waits_for_it() -> None:
    with serve(Echo()) as here, here.connect() as client:
        client.sendall(V1[:10])
        here.turn()
        (conn,) = here.connections()
        assert conn.busy
        assert not conn.is_idle
        assert not conn.can_move


@pytest.mark.parametrize("read", [0, 10])
def test_no_plugin_is_asked_for_the_state_of_a_kept_connection_that_it_has_not_met(read: int) -> None:
    class Asked(Echo):
        @hookimpl
        def on_freeze(self, conn: Any) -> bytes:
            assert conn in self.met
            return b"state"

    protocol = Asked()
    with serve(protocol) as here, here.connect(crash_slot=3) as client:
        client.sendall(V1[:read])
        here.turn()
        assert here.crash_slots.read(3) == b""
        client.sendall(V1[read:])
        here.turn_until(lambda: bool(protocol.met) and here.crash_slots.read(3) != b"")
        assert here.service.hook_errors == 0


def test_a_kept_connection_is_busy_before_a_request_is_read_that_came_with_the_header() -> None:
    statuses: list[int] = []

    class Looks(Echo):
        @hookimpl
        def on_readable(self, conn: Any) -> None:
            statuses.append(here.crash_slots.statuses[3])
            conn.send(conn.recv())

    with serve(Looks()) as here, here.connect(crash_slot=3) as client:
        client.sendall(V1 + b"hello")
        assert receive(here, client, 5) == b"hello"
        assert statuses == [Status.BUSY]
        here.turn_until(lambda: here.crash_slots.statuses[3] == Status.IDLE)


@pytest.mark.parametrize("way", ["pause", "close", "abort"])
def test_a_request_behind_the_header_is_not_served_if_on_accept_does_not_want_it(way: str) -> None:
    class Refusing(Echo):
        @hookimpl
        def on_accept(self, conn: Any) -> None:
            getattr(conn, way)()
            self.met.append(conn)

        @hookimpl
        def on_readable(self, conn: Any) -> None:
            raise AssertionError(f"it is served after {way}: {conn.recv()!r}")

    protocol = Refusing()
    with serve(protocol) as here, here.connect() as client:
        client.sendall(V1 + b"hello")
        here.turn_until(lambda: bool(protocol.met))
        here.turn()
        assert here.service.hook_errors == 0


def test_kept_connections_in_the_same_state_have_records_of_their_own() -> None:
    protocol = Echo()
    with serve(protocol) as here, serve(after := Echo()) as there:
        clients = [here.connect(crash_slot=slot) for slot in (1, 2)]
        for number, client in enumerate(clients, 1):
            client.sendall(v1(("203.0.113.7", number), SERVER))
        here.turn_until(lambda: all(here.crash_slots.read(slot) for slot in (1, 2)))
        for conn, slot in zip(here.connections(), (1, 2), strict=True):
            there.service.take_frozen(os.dup(conn.fileno()), here.crash_slots.read(slot))
        assert [conn.peer.port for conn in after.met] == [1, 2]
        for client in clients:
            client.close()
