"""Our transports keep the contract that every plugin's must keep."""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from certificates import client_context, pair

from corepool import Endpoint
from corepool.testing.transport import TransportContract
from corepool_fd import Fd, Systemd
from corepool_tcp import Tcp
from corepool_tls import Tls
from corepool_unix import Unix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool import Transport


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


class TestTcp(TransportContract):
    wrong_urls = ("tcp://127.0.0.1", "tcp://[::1]", "tcp://127.0.0.1:80/path", "tcp:80", "tcp://")

    def make(self) -> Transport:
        return Tcp()

    def endpoint(self, folder: Path) -> Endpoint:  # noqa: ARG002
        return Endpoint.parse("tcp://127.0.0.1:0")


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 loopback")
class TestTcpOverIPv6(TransportContract):
    def make(self) -> Transport:
        return Tcp()

    def endpoint(self, folder: Path) -> Endpoint:  # noqa: ARG002
        return Endpoint.parse("tcp://[::1]:0")


class TestTcpByName(TransportContract):
    def make(self) -> Transport:
        return Tcp()

    def endpoint(self, folder: Path) -> Endpoint:  # noqa: ARG002
        return Endpoint.parse("tcp://localhost:0")


class _HalfClosing(ssl.SSLSocket):
    """Ends its side of the wire, and goes on reading: an SSLSocket would read without TLS then."""

    def shutdown(self, how: int) -> None:
        socket.socket.shutdown(self, how)


class TestTls(TransportContract):
    wrong_urls = ("tls://127.0.0.1", "tls://127.0.0.1:80/path", "tls://")

    @pytest.fixture(autouse=True)
    def _certificate(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self._paths = pair().write(tmp_path_factory.mktemp("certificate"))

    def make(self) -> Transport:
        return Tls(Tls.Options.model_validate(dict(zip(("cert", "key"), self._paths, strict=True))))

    def endpoint(self, folder: Path) -> Endpoint:  # noqa: ARG002
        return Endpoint.parse("tls://127.0.0.1:0")

    def connect(self, url: str) -> socket.socket:
        context = client_context()
        context.sslsocket_class = _HalfClosing
        return context.wrap_socket(super().connect(url.replace("tls:", "tcp:")), server_hostname="localhost")


class TestUnix(TransportContract):
    wrong_urls = (
        "unix:",
        "unix:@",
        "unix:run/x.sock",
        "unix://run/x.sock",
        "unix:///run/",
        "unix:@name?mode=0660",
        "unix:///" + 107 * "x",
        "unix:@" + 107 * "x",
        "unix:///" + 54 * "é",
        "unix:///nul\0byte",
    )

    def make(self) -> Transport:
        return Unix(Unix.Options())

    def endpoint(self, folder: Path) -> Endpoint:
        return Endpoint.parse(f"unix://{folder}/pool.sock")


class TestUnixAbstract(TransportContract):
    def make(self) -> Transport:
        return Unix(Unix.Options())

    def endpoint(self, folder: Path) -> Endpoint:
        # The folder's own path is unique to the test and the machine.
        return Endpoint.parse(f"unix:@corepool{str(folder)[-80:]}")


class InheritedContract(TransportContract):
    """The contract of the transports fd and systemd: each test gets sockets as if this process had inherited them."""

    unix = False

    @pytest.fixture(autouse=True)
    def _passed(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self.variables = monkeypatch
        self.inherited: list[socket.socket] = []
        # Not the test's own folder, which must stay empty: the file is not the transport's.
        with tempfile.TemporaryDirectory() as self.elsewhere:
            yield
            for sock in self.inherited:
                sock.close()

    def inherit(self) -> int:
        family = socket.AF_UNIX if self.unix else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.bind(f"{self.elsewhere}/{len(self.inherited)}.sock" if self.unix else ("127.0.0.1", 0))
        sock.listen(7)
        sock.set_inheritable(True)
        self.inherited.append(sock)
        return sock.fileno()

    def again(self, endpoint: Endpoint, url: str) -> Endpoint:  # noqa: ARG002
        return endpoint


class TestFd(InheritedContract):
    wrong_urls = ("fd:3", "fd://", "fd://2", "fd://x", "fd://3/x", "fd://-3", "fd://3:4", "fd://99999999999", "fd://²")

    def make(self) -> Transport:
        return Fd()

    def endpoint(self, folder: Path) -> Endpoint:  # noqa: ARG002
        return Endpoint.parse(f"fd://{self.inherit()}")

    def test_the_backlog_stays_as_it_is(self, tmp_path: Path) -> None:
        transport, endpoint = self.make(), self.endpoint(tmp_path)
        listening = transport.listen(endpoint, 16)
        transport.relisten(listening, 16)

        # tcp(7), TCP_INFO of a listening socket: after eight bytes, unacked is its queue and sacked the backlog.
        info = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        assert int.from_bytes(info[28:32], "little") == 7
        transport.close(endpoint, listening)

    def test_closing_gives_the_descriptor_back_as_it_came(self, tmp_path: Path) -> None:
        transport, endpoint = self.make(), self.endpoint(tmp_path)
        transport.close(endpoint, transport.listen(endpoint, 16))

        assert self.inherited[0].get_inheritable()
        self.connect(transport.url(endpoint, self.inherited[0])).close()

    def test_a_socket_that_was_not_passed_is_refused_in_words(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        file = os.open(tmp_path / "file", os.O_RDONLY)
        os.set_inheritable(file, True)
        deaf = socket.create_server(("127.0.0.1", 0))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for descriptor, reason in (
            (file, "is not a socket"),
            (9999, "was not passed to this process: Bad file descriptor"),
            (deaf.fileno(), "is in use by this pool already, or was not passed to it"),
            (datagrams.fileno(), "is neither a TCP nor a UNIX stream socket"),
        ):
            if descriptor == datagrams.fileno():
                os.set_inheritable(descriptor, True)
            with pytest.raises(OSError, match=rf"descriptor {descriptor} {reason}"):
                self.make().listen(Endpoint.parse(f"fd://{descriptor}"), 16)
        with socket.socket() as silent:
            silent.set_inheritable(True)
            with pytest.raises(OSError, match="does not listen"):
                self.make().listen(Endpoint.parse(f"fd://{silent.fileno()}"), 16)
            assert silent.fileno() >= 0
        os.close(file)
        deaf.close()
        datagrams.close()


class TestFdOfAUnixSocket(TestFd):
    unix = True

    def test_the_backlog_stays_as_it_is(self, tmp_path: Path) -> None:
        transport, endpoint = self.make(), self.endpoint(tmp_path)
        listening = transport.listen(endpoint, 16)
        clients = [socket.socket(socket.AF_UNIX) for _ in range(9)]
        for client in clients:
            client.setblocking(False)
        refused = [client.connect_ex(listening.getsockname()) for client in clients]

        assert refused == [0] * 8 + [11]  # unix(7): the backlog and one more, then EAGAIN
        for client in clients:
            client.close()
        transport.close(endpoint, listening)

    def test_the_file_of_another_process_stays(self, tmp_path: Path) -> None:
        transport, endpoint = self.make(), self.endpoint(tmp_path)
        transport.close(endpoint, transport.listen(endpoint, 16))

        assert [path.name for path in Path(self.elsewhere).iterdir()] == ["0.sock"]


class TestSystemd(InheritedContract):
    wrong_urls = ("systemd://a:b", "systemd://web/x", "systemd:web/x")

    def make(self) -> Transport:
        return Systemd(Systemd.Options())

    def endpoint(self, folder: Path) -> Endpoint:  # noqa: ARG002
        self.say(self.inherit(), "Web")
        return Endpoint.parse("systemd://Web")

    def say(self, descriptor: int, *names: str) -> None:
        """Set the environment as if the socket were the last but one of those passed."""
        before = ["another"] * (descriptor - 3)
        self.variables.setenv("LISTEN_PID", str(os.getpid()))
        self.variables.setenv("LISTEN_FDS", str(len(before) + len(names)))
        self.variables.setenv("LISTEN_FDNAMES", ":".join([*before, *names]))

    def test_sockets_of_one_name_are_told_apart_by_their_number(self, tmp_path: Path) -> None:
        self.endpoint(tmp_path)
        self.say(self.inherited[0].fileno(), "Web", "Web")
        endpoint = Endpoint.parse("systemd://Web?index=0")
        first = Systemd(Systemd.Options.model_validate(endpoint.query))

        with pytest.raises(OSError, match=r"passed 2 of them; \?index=0 is the first"):
            self.make().listen(Endpoint.parse("systemd://Web"), 16)
        with pytest.raises(OSError, match="passed 2 of them; the last is 1"):
            Systemd(Systemd.Options(index=2)).listen(Endpoint.parse("systemd://Web?index=2"), 16)
        listening = first.listen(endpoint, 16)
        assert listening.fileno() == self.inherited[0].fileno()
        first.close(endpoint, listening)

    def test_a_name_that_was_not_passed_is_told_with_those_that_were(self, tmp_path: Path) -> None:
        self.endpoint(tmp_path)

        with pytest.raises(OSError, match=r"has passed no socket 'web'; it has passed (another, )?Web"):
            self.make().listen(Endpoint.parse("systemd://web"), 16)
        self.variables.delenv("LISTEN_FDS")
        with pytest.raises(OSError, match="it has passed none"):
            self.make().listen(Endpoint.parse("systemd://Web"), 16)

    def test_sockets_of_another_process_are_left_alone(self, tmp_path: Path) -> None:
        endpoint = self.endpoint(tmp_path)
        self.variables.setenv("LISTEN_PID", "1")

        with pytest.raises(OSError, match="to process 1, and this is"):
            self.make().listen(endpoint, 16)


class TestSystemdOfAUnixSocket(TestSystemd):
    unix = True
