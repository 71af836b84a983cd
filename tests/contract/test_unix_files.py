"""The unix transport's dealings with the file system: whose file it may take, and whose it removes."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from corepool import Endpoint
from corepool.testing.sockets import connect, receive_exactly
from corepool.testing.waiting import wait_until
from corepool_unix import Unix

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

BACKLOG = 16
STARTS = 8  # at once; more only wait for the lock in turn
RACES = 25


def unix(**options: str) -> Unix:
    return Unix(Unix.Options.model_validate(options))


def endpoint_of(path: Path) -> Endpoint:
    return Endpoint.parse(f"unix://{path}")


def leave_stale_file(path: Path) -> None:
    """Do what a killed server does: go without removing the file."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_file_is_for_the_pools_own_user_unless_told_otherwise(tmp_path: Path) -> None:
    endpoint = endpoint_of(tmp_path / "x.sock")
    transport = unix()
    listening = transport.listen(endpoint, BACKLOG)

    assert mode_of(tmp_path / "x.sock") == 0o600
    transport.close(endpoint, listening)


@pytest.mark.parametrize("mode", ["0660", "666", "0777", "0000"])
def test_file_has_the_mode_asked_for_whatever_the_umask_and_the_umask_stays(tmp_path: Path, mode: str) -> None:
    endpoint = endpoint_of(tmp_path / "x.sock")
    transport = unix(mode=mode)

    before = os.umask(0o027)
    try:
        listening = transport.listen(endpoint, BACKLOG)
    finally:
        after = os.umask(before)

    assert mode_of(tmp_path / "x.sock") == int(mode, 8)
    assert after == 0o027
    transport.close(endpoint, listening)


@pytest.mark.parametrize("mode", ["rw", "0o660", "888", "06600", "66", ""])
def test_mode_that_is_not_octal_is_explained(mode: str) -> None:
    with pytest.raises(ValidationError, match='such as "0660"'):
        unix(mode=mode)


def test_a_stale_file_is_replaced(tmp_path: Path) -> None:
    leave_stale_file(tmp_path / "x.sock")
    endpoint = endpoint_of(tmp_path / "x.sock")
    transport = unix()

    listening = transport.listen(endpoint, BACKLOG)

    connect(endpoint.url).close()
    transport.close(endpoint, listening)


def test_file_of_a_server_whose_backlog_is_full_is_left_alone(tmp_path: Path) -> None:
    """Connecting would wait then: EAGAIN, and nothing like "refused"."""
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(0)
        with connect(f"unix://{path}"), pytest.raises(OSError, match="may be in use") as raised:
            unix().listen(endpoint_of(path), BACKLOG)

        assert raised.value.errno == errno.EADDRINUSE
        assert path.exists()


def test_file_in_use_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()

        with pytest.raises(OSError, match="another process listens on it"):
            unix().listen(endpoint_of(path), BACKLOG)


@pytest.mark.parametrize("kind", ["file", "folder", "symlink to a socket", "dangling symlink"])
def test_anything_but_a_socket_is_never_removed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.sock"
    match kind:
        case "file":
            path.write_text("precious")
        case "folder":
            path.mkdir()
        case "symlink to a socket":
            leave_stale_file(tmp_path / "y.sock")
            path.symlink_to(tmp_path / "y.sock")
        case _:
            path.symlink_to(tmp_path / "nowhere")
    before = path.lstat()

    with pytest.raises(OSError, match="is not a socket") as raised:
        unix().listen(endpoint_of(path), BACKLOG)

    assert raised.value.errno == errno.EADDRINUSE
    assert path.lstat() == before


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"the folder '.*nowhere' doesn't exist"):
        unix().listen(endpoint_of(tmp_path / "nowhere" / "x.sock"), BACKLOG)


def test_folder_that_may_not_be_written_is_explained() -> None:
    """Root may write everywhere, so /proc stands for such a folder."""
    with pytest.raises(OSError, match=r"the socket '/proc/x\.sock' can't be made: \w+"):
        unix().listen(endpoint_of(Path("/proc/x.sock")), BACKLOG)


def test_abstract_name_in_use_is_explained(tmp_path: Path) -> None:
    endpoint = Endpoint.parse(f"unix:@{str(tmp_path)[-80:]}")
    listening = unix().listen(endpoint, BACKLOG)

    with listening, pytest.raises(OSError, match=r"the name '@.*' is in use"):
        unix().listen(endpoint, BACKLOG)


def test_file_that_another_server_has_put_in_our_place_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    ours, endpoint = unix(), endpoint_of(path)
    listening = ours.listen(endpoint, BACKLOG)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()

        ours.close(endpoint, listening)

        connect(endpoint.url).close()


def test_folder_that_has_gone_does_not_disturb_closing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    transport, endpoint = unix(), endpoint_of(folder / "x.sock")
    listening = transport.listen(endpoint, BACKLOG)
    (folder / "x.sock").unlink()
    folder.rmdir()

    transport.close(endpoint, listening)

    assert listening.fileno() == -1


def test_a_folder_whose_lock_another_process_holds_does_not_stop_the_start(tmp_path: Path) -> None:
    transport, endpoint = unix(), endpoint_of(tmp_path / "x.sock")
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)

    listening = transport.listen(endpoint, BACKLOG)

    os.close(folder)
    transport.close(endpoint, listening)


def test_of_many_starts_at_once_over_a_stale_file_one_wins_and_is_reached(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    endpoint = endpoint_of(path)
    barrier = threading.Barrier(STARTS)

    def start(transport: Unix) -> socket.socket | None:
        barrier.wait()
        try:
            return transport.listen(endpoint, BACKLOG)
        except OSError as error:
            assert error.errno == errno.EADDRINUSE  # noqa: PT017 - the winner raises nothing
            return None

    with ThreadPoolExecutor(STARTS) as threads:
        for _ in range(RACES):
            leave_stale_file(path)
            transports = [unix() for _ in range(STARTS)]
            started = list(threads.map(start, transports))

            winners = [(t, s) for t, s in zip(transports, started, strict=True) if s is not None]
            assert len(winners) == 1
            ((transport, listening),) = winners
            with connect(endpoint.url) as client:
                client.sendall(b"to the winner")
                # Probes of the losers wait in its backlog before this client.
                heard = set()
                for _ in range(STARTS):
                    accepted, _ = listening.accept()
                    with accepted:
                        heard.add(accepted.recv(64))
                    if b"to the winner" in heard:
                        break
            assert b"to the winner" in heard
            transport.close(endpoint, listening)
            assert not path.exists()


def test_pool_serves_on_a_socket_file_with_its_mode_and_takes_it_away(pool: Pools, tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    running = pool.serve("echo", "-b", f"unix://{path}?mode=0660", "-w", "1")

    assert running.urls() == [f"unix://{path}"]
    assert mode_of(path) == 0o660
    with running.connect() as client:
        client.sendall(b"hello")
        assert receive_exactly(client, 5) == b"hello"

    running.stop()
    assert not path.exists()


def test_pool_starts_over_the_file_that_a_killed_pool_has_left(pool: Pools, tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    killed = pool.serve("echo", "-b", f"unix://{path}", "-w", "1", exit_status=-signal.SIGKILL)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    wait_until(lambda: not killed.left_over(), what="the orphaned worker gone")
    assert path.is_socket()

    running = pool.serve("echo", "-b", f"unix://{path}", "-w", "1")

    running.connect().close()


def test_pool_does_not_start_over_the_file_of_a_running_one(pool: Pools, tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    running = pool.serve("echo", "-b", f"unix://{path}", "-w", "1")

    refused = pool.serve("echo", "-b", f"unix://{path}", "-w", "1", exit_status=2, wait=False)

    assert refused.wait() == 2
    assert "in use" in refused.stderr
    running.connect().close()


def test_clients_of_every_kind_have_an_address() -> None:
    transport = unix()

    assert str(transport.address("")) == "unix"
    assert str(transport.address("/run/client.sock")) == "/run/client.sock"
    assert str(transport.address(b"\0name")) == "@name"
