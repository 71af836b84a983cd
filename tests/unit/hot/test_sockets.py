"""System calls on bare descriptors: in Python and, where it was compiled, in machine code."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corepool import Address, Transport, hookimpl
from corepool.hot import sockets
from corepool.testing.served import Plain, ServedHere
from corepool.testing.sockets import reset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool import Connection

DROPS = [sockets.drop_input_in_python, sockets.drop_input]
SHUTS = [sockets.shut_down_in_python, sockets.shut_down]
ADDRESSES = [sockets.sockaddr_in_python, sockets.sockaddr]
PAIRS = [sockets.ipv4_sockaddr_in_python, sockets.ipv4_sockaddr]


class Silent:
    @hookimpl
    def on_readable(self, conn: Connection) -> None:
        conn.recv()


class Tcp(Plain):
    address = Transport.address


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return two ends of a connection, of which the first does not block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname())
        ours = listening.accept()[0]
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def wait_readable(sock: socket.socket) -> None:
    sock.settimeout(60)
    sock.recv(1, socket.MSG_PEEK)
    sock.setblocking(False)


@pytest.mark.parametrize("drop_input", DROPS)
def test_input_is_dropped_a_piece_at_a_time(
    pair: tuple[socket.socket, socket.socket], drop_input: Callable[[int], bool | None]
) -> None:
    ours, theirs = pair

    assert drop_input(ours.fileno()) is False
    theirs.sendall(bytes(100))
    wait_readable(ours)
    assert drop_input(ours.fileno()) is True
    assert drop_input(ours.fileno()) is False
    theirs.shutdown(socket.SHUT_WR)
    wait_readable(ours)
    assert drop_input(ours.fileno()) is None


@pytest.mark.parametrize("drop_input", DROPS)
def test_a_broken_connection_has_no_more_input(
    pair: tuple[socket.socket, socket.socket], drop_input: Callable[[int], bool | None]
) -> None:
    ours, theirs = pair
    reset(theirs)
    ours.settimeout(60)
    with pytest.raises(ConnectionResetError):
        ours.recv(1, socket.MSG_PEEK)
    ours.setblocking(False)

    assert drop_input(ours.fileno()) is None
    assert drop_input(-1) is None


@pytest.mark.parametrize("shut_down", SHUTS)
def test_output_is_ended_and_a_peer_that_was_faster_is_no_error(
    pair: tuple[socket.socket, socket.socket], shut_down: Callable[[int, int], None]
) -> None:
    ours, theirs = pair

    shut_down(ours.fileno(), socket.SHUT_WR)
    assert theirs.recv(1) == b""
    theirs.close()
    shut_down(ours.fileno(), socket.SHUT_RDWR)
    shut_down(ours.fileno(), socket.SHUT_RDWR)
    assert ours.fileno() >= 0, "it is not closed"


@pytest.mark.parametrize("sockaddr", ADDRESSES)
@pytest.mark.parametrize("host", ["127.0.0.1", "127.254.100.25", "::1"])
def test_addresses_are_those_that_socket_has(host: str, sockaddr: Callable[[int, int, bool], object]) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, 0), family=family) as listening,
        socket.create_connection(listening.getsockname()[:2]),
        listening.accept()[0] as ours,
    ):
        assert sockaddr(ours.fileno(), family, True) == ours.getpeername()
        assert sockaddr(ours.fileno(), family, False) == ours.getsockname()


@pytest.mark.parametrize("ipv4_sockaddr", PAIRS)
@pytest.mark.parametrize("host", ["127.0.0.1", "127.254.100.25", "::1"])
def test_addresses_of_ipv4_alone_are_pairs(host: str, ipv4_sockaddr: Callable[[int, bool], object]) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, 0), family=family) as listening,
        socket.create_connection(listening.getsockname()[:2]),
        listening.accept()[0] as ours,
    ):
        is_pair = family == socket.AF_INET
        assert ipv4_sockaddr(ours.fileno(), True) == (ours.getpeername() if is_pair else None)
        assert ipv4_sockaddr(ours.fileno(), False) == (ours.getsockname() if is_pair else None)


@pytest.mark.parametrize("ipv4_sockaddr", PAIRS)
def test_other_sockets_have_no_pair_and_what_is_no_socket_is_an_error(
    ipv4_sockaddr: Callable[[int, bool], object],
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert ipv4_sockaddr(ours.fileno(), True) is None
        assert ipv4_sockaddr(ours.fileno(), False) is None
    with Path("/dev/null").open() as file, pytest.raises(OSError, match="non-socket"):
        ipv4_sockaddr(file.fileno(), True)


def test_the_ends_of_a_connection_are_addresses() -> None:
    with (
        ServedHere(Silent(), transport=Tcp(), family=socket.AF_INET, local=(local := Address("127.0.0.1", 1))) as here,
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as theirs,
    ):
        here.service.take_accepted(listening.accept()[0].detach())
        [conn] = here.connections()
        host, port = theirs.getsockname()
        assert type(conn.peer) is Address
        assert (conn.peer, str(conn.peer)) == (Address(host, port), f"{host}:{port}")
        assert conn.local is local


@pytest.mark.parametrize("sockaddr", ADDRESSES)
def test_addresses_of_other_families_are_those_that_socket_has(
    tmp_path: Path, sockaddr: Callable[[int, int, bool], object]
) -> None:
    path = str(tmp_path / "socket")
    with (
        socket.socket(socket.AF_UNIX) as listening,
        socket.socket(socket.AF_UNIX) as theirs,
    ):
        listening.bind(path)
        listening.listen()
        theirs.connect(path)
        with listening.accept()[0] as ours:
            assert sockaddr(ours.fileno(), socket.AF_UNIX, False) == path
            assert not sockaddr(ours.fileno(), socket.AF_UNIX, True)


@pytest.mark.parametrize("sockaddr", ADDRESSES)
def test_the_address_of_a_peer_that_is_gone_is_an_error(
    pair: tuple[socket.socket, socket.socket], sockaddr: Callable[[int, int, bool], object]
) -> None:
    ours, theirs = pair
    reset(theirs)
    ours.settimeout(60)
    with pytest.raises(ConnectionResetError):
        ours.recv(1)
    with pytest.raises(OSError, match="not connected"):
        sockaddr(ours.fileno(), socket.AF_INET, True)
