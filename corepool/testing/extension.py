"""The contract of every extension, as tests to inherit. They run it in this process, and in a real pool of two workers.

class TestMyExtension(ExtensionContract):
    name = "mine"
    options = {"greeting": ""}

The options have to let clients of this machine in, at least `clients` of them at once, and the extension must send
nothing by itself: the protocol behind it is an echo.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, ClassVar

import pytest

from corepool import Address, Connection, hookimpl
from corepool.plugins.registry import Registry
from corepool.testing.conversation import Conversations
from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect, receive_exactly, reset

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from corepool.testing.conversation import Conversation

_MESSAGE = b"The quick brown fox jumps over the lazy dog.\n"

_PEER = Address("127.0.0.1", 50_000)  # of this machine, as those of the pool are

_TOML = """
[pool]
workers = 2

[[listener]]
name = "front"
bind = ["tcp://127.0.0.1:0"]
protocol = "echo"
extensions = [{name}]
"""


class ExtensionContract:
    """Derive, name the class Test..., and say what the extension is called; pytest runs the rest."""

    name: ClassVar[str]
    """Its entry point's name in the group corepool.extensions."""

    options: ClassVar[Mapping[str, object]] = {}
    """The content of [listener.extension_options.NAME]: text, numbers, booleans and lists of them."""

    clients: ClassVar[int] = 16
    """Connections at once that these options let in."""

    @pytest.fixture(scope="class")
    @classmethod
    def pool(cls) -> Iterator[PoolProcess]:
        """One pool for all tests of the class: what one test breaks, the next ones see."""
        # A string, a number, a boolean or a list of them is written the same in JSON and in TOML.
        table = [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in cls.options.items()]
        lines = [_TOML.format(name=json.dumps(cls.name)), f"[listener.extension_options.{cls.name}]", *table]
        with PoolProcess.run("\n".join(lines)) as pool:
            yield pool
            pool.stop()
            assert "Traceback" not in pool.stderr, pool.stderr

    @pytest.fixture
    def behind(self) -> Iterator[Conversations]:
        """Open connections in this process."""
        with Conversations() as conversations:
            yield conversations

    def make(self) -> object:
        """Make an instance as a pool would."""
        return Registry().create("extensions", self.name, self.options, "options").plugin

    def test_lets_a_connection_through_and_its_bytes_as_they_are(self, pool: PoolProcess) -> None:
        with pool.connect() as client:
            for _ in range(3):
                client.sendall(_MESSAGE)
                assert receive_exactly(client, len(_MESSAGE)) == _MESSAGE

    def test_lets_as_many_through_as_the_options_say(self, pool: PoolProcess) -> None:
        self._assert_all_served(pool)

    def test_has_room_again_when_connections_have_ended(self, pool: PoolProcess) -> None:
        for _ in range(3):
            self._assert_all_served(pool)

    def test_connections_that_break_harm_nobody(self, pool: PoolProcess) -> None:
        workers, (url,) = pool.workers(), pool.urls()

        for number in range(self.clients):
            with connect(url) as client:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    client.sendall(_MESSAGE[:number])
                reset(client)

        self._assert_all_served(pool)
        assert pool.workers() == workers

    def test_leaves_the_session_to_the_protocol(self, behind: Conversations) -> None:
        protocol = _Witness()
        client = self._connect(behind, (protocol, self.make()))

        client.send(_MESSAGE)
        client.end()

        assert client.receive() == _MESSAGE
        assert protocol.sessions == [client.conn.id]

    def test_instances_and_connections_know_nothing_of_each_other(self, behind: Conversations) -> None:
        """Two listeners of one pool have an instance each; a connection that ends concerns no other."""
        first, second = (_Witness(), self.make()), (_Witness(), self.make())
        clients = [self._connect(behind, plugins) for plugins in (first, second, first)]

        clients[0].reset()

        for client in clients[1:]:
            client.send(_MESSAGE)
            assert client.receive() == _MESSAGE

    def test_hears_of_connections_that_moved_here_and_that_move_away(self, behind: Conversations) -> None:
        """If they can be moved at all: with `on_freeze`, or with nothing to remember.

        They move as far as there is room, are served there, and end; then both workers have room for as many again.
        """
        there, here = (_Witness(), self.make()), (_Witness(), self.make())
        clients = [self._connect(behind, there) for _ in range(self.clients)]
        if not clients[0].can_move:
            pytest.skip("it has no on_freeze: connections of its listeners stay where they are")

        for client in clients:
            moved = behind.move(client, here[0], [here[1]])
            moved.send(_MESSAGE)
            moved.end()
            assert moved.receive() == _MESSAGE

        for plugins in (there, here):
            for client in [self._connect(behind, plugins) for _ in range(self.clients)]:
                client.send(_MESSAGE)
                assert client.receive() == _MESSAGE

    def _connect(self, behind: Conversations, plugins: tuple[_Witness, object]) -> Conversation:
        protocol, extension = plugins
        return behind(protocol, extensions=[extension], peer=_PEER)

    def _assert_all_served(self, pool: PoolProcess) -> None:
        (url,) = pool.urls()
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connect(url)) for _ in range(self.clients)]
            for client in clients:
                client.sendall(_MESSAGE)
            replies = [receive_exactly(client, len(_MESSAGE)) for client in clients]
        assert replies == [_MESSAGE] * self.clients


class _Witness:
    """An echo that keeps a session, and can be moved."""

    def __init__(self) -> None:
        self.sessions: list[object] = []

    @hookimpl
    def on_accept(self, conn: Connection) -> None:
        conn.session = conn.id

    @hookimpl
    def on_readable(self, conn: Connection) -> None:
        conn.send(conn.recv())

    @hookimpl
    def on_freeze(self) -> bytes:
        return b""

    @hookimpl
    def on_thaw(self, conn: Connection) -> None:
        conn.session = conn.id

    @hookimpl
    def on_close(self, conn: Connection) -> None:
        self.sessions.append(conn.session)
