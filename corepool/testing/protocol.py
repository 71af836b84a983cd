r"""The contract of every protocol, as tests to inherit. They run against a real pool of two workers.

class TestMyProtocol(ProtocolContract):
    serve_arguments = ("mine", "-o", "greeting=none")
    request = b"PING\n"
    reply = b"PONG\n"
"""

from __future__ import annotations

import contextlib
import random
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar

import pytest

from corepool.plugins.recognition import MAX_LOOKED_AT
from corepool.testing.made import matches_of_served
from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect, receive_all, receive_exactly, reset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MAX_CUTS = 200  # connections open at once, well inside the 1024 descriptors a process may usually have
_PIPELINED = 1000
_HOSTILE = 32  # connections of each kind: enough to reach both workers, done in a moment
_MAX_GARBAGE_BYTES = 65536  # one full read of the worker
_STUCK_AFTER_S = 0.2  # a worker on the same machine that reads at all reads within microseconds
_FLOOD_BYTES = 32 << 20  # more than the kernel and the default output_high_water hold; under output_limit


class ProtocolContract:
    """Derive, name the class Test..., say how it is served, and give one exchange; pytest runs the rest."""

    serve_arguments: ClassVar[Sequence[str]]
    """Arguments of `corepool serve`: the protocol's name, a target if it needs one, options."""

    request: ClassVar[bytes]
    """One complete request, which may come many times on one connection."""

    reply: ClassVar[bytes]
    """The whole reply to it."""

    bind: ClassVar[str] = "tcp://127.0.0.1:0"
    """The URL that it is served on."""

    @pytest.fixture(scope="class")
    @classmethod
    def pool(cls) -> Iterator[PoolProcess]:
        """One pool for all tests of the class: what one test breaks, the next ones see."""
        with PoolProcess.serve(*cls.serve_arguments, "-b", cls.bind, "-w", "2") as pool:
            yield pool
            pool.stop()
            assert "Traceback" not in pool.stderr, pool.stderr

    def test_answers_a_request(self, pool: PoolProcess) -> None:
        with pool.connect() as client:
            assert self._ask(client) == self.reply

    def test_answers_the_same_when_a_request_comes_in_two_pieces_cut_anywhere(self, pool: PoolProcess) -> None:
        """All first pieces are sent before any second one, so that they are read apart without a pause."""
        step = max(1, len(self.request) // _MAX_CUTS)
        cuts = range(1, len(self.request), step)
        (url,) = pool.urls()

        with contextlib.ExitStack() as stack:
            clients = {cut: stack.enter_context(connect(url)) for cut in cuts}
            for cut, client in clients.items():
                client.sendall(self.request[:cut])
            for cut, client in clients.items():
                client.sendall(self.request[cut:])
            replies = {}
            for cut, client in clients.items():
                replies[cut] = receive_exactly(client, len(self.reply))
                client.close()  # a protocol in threads serves the next one with the thread that this frees

        assert replies == dict.fromkeys(cuts, self.reply)

    def test_answers_the_same_when_a_request_comes_byte_by_byte(self, pool: PoolProcess) -> None:
        with pool.connect() as client:
            for place in range(len(self.request)):
                client.sendall(self.request[place : place + 1])
            assert receive_exactly(client, len(self.reply)) == self.reply

    def test_answers_pipelined_requests_in_order(self, pool: PoolProcess) -> None:
        with pool.connect() as client, ThreadPoolExecutor(1) as threads:
            # From a thread: neither side could send on if neither received.
            sent = threads.submit(client.sendall, self.request * _PIPELINED)
            replies = receive_exactly(client, len(self.reply) * _PIPELINED)
            sent.result()

        assert replies == self.reply * _PIPELINED

    def test_answers_a_peer_that_has_ended_its_side_already(self, pool: PoolProcess) -> None:
        with pool.connect() as client:
            client.sendall(self.request)
            client.shutdown(socket.SHUT_WR)

            assert receive_all(client) == self.reply

    def test_connections_that_say_nothing_harm_nobody(self, pool: PoolProcess) -> None:
        workers, (url,) = pool.workers(), pool.urls()

        for _ in range(_HOSTILE):
            connect(url).close()

        self._assert_unharmed(pool, workers)

    def test_connections_reset_in_the_middle_of_a_request_harm_nobody(self, pool: PoolProcess) -> None:
        workers, (url,) = pool.workers(), pool.urls()

        for number in range(_HOSTILE):
            with connect(url) as client:
                client.sendall(self.request * (number % 3) + self.request[: number % len(self.request)])
                reset(client)

        self._assert_unharmed(pool, workers)

    def test_random_bytes_harm_nobody(self, pool: PoolProcess) -> None:
        workers, (url,) = pool.workers(), pool.urls()
        chance = random.Random(1)  # noqa: S311 - the same bytes every time

        for _ in range(_HOSTILE):
            garbage = chance.randbytes(chance.randrange(1, _MAX_GARBAGE_BYTES))
            with connect(url) as client:
                try:
                    client.sendall(garbage)
                    client.shutdown(socket.SHUT_WR)
                    receive_all(client)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # refusing garbage by closing is an answer

        self._assert_unharmed(pool, workers)

    def test_a_peer_that_never_reads_stops_nobody_else(self, pool: PoolProcess) -> None:
        workers, (url,) = pool.workers(), pool.urls()
        requests = self.request * (1 + 65536 // len(self.request))

        with connect(url, timeout_s=_STUCK_AFTER_S) as deaf:
            try:
                for _ in range(_FLOOD_BYTES // len(requests)):
                    deaf.sendall(requests)
            except (TimeoutError, BrokenPipeError, ConnectionResetError):
                pass  # no longer read, or dropped: both protect the others

            self._assert_unharmed(pool, workers)
            reset(deaf)

    def test_is_recognised_by_its_first_bytes(self) -> None:
        """A protocol with `matches` knows its own request, raises nothing, and its answers stay with more bytes."""
        matches = matches_of_served(self.serve_arguments)
        if matches is None:
            pytest.skip("it has no matches")
        chance = random.Random(1)  # noqa: S311 - the same bytes every time
        streams = [chance.randbytes(chance.randrange(1, 64)) for _ in range(_HOSTILE)]
        streams += [self.request[: chance.randrange(1, len(self.request) + 1)] + each for each in streams]
        streams += [self.request, self.request + bytes(MAX_LOOKED_AT), bytes(MAX_LOOKED_AT)]

        assert matches(self.request[:MAX_LOOKED_AT]) is not False, "its own request is not recognised"
        for stream in streams:
            answers = [matches(stream[:end]) for end in range(1, min(len(stream), MAX_LOOKED_AT) + 1)]
            decided = [answer for answer in answers if answer is not None]
            assert all(answer is True or answer is False for answer in decided), (
                f"expected True, False or None: {stream!r}"
            )
            assert len(set(decided)) < 2, f"an answer has changed with more bytes: {stream!r}"
            assert None not in answers[len(answers) - len(decided) :], f"an answer was taken back: {stream!r}"

    def _ask(self, client: socket.socket) -> bytes:
        client.sendall(self.request)
        return receive_exactly(client, len(self.reply))

    def _assert_unharmed(self, pool: PoolProcess, workers: list[int]) -> None:
        """Check that both workers are the same processes as before and still answer."""
        (url,) = pool.urls()
        with contextlib.ExitStack() as stack:
            for client in [stack.enter_context(connect(url)) for _ in range(2 * len(workers))]:
                assert self._ask(client) == self.reply
        assert pool.workers() == workers
