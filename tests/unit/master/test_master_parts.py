"""The pure parts of the master, and those that do one kind of I/O, each alone."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool.config.runtime import MAX_CONTROL_PATH_BYTES, Place, refuse_others_folder
from corepool.errors import ControlError
from corepool.ipc.scoreboard import Cell, ListenerPlace, Scoreboard, listener_cell
from corepool.master.control import MAX_CLIENTS, ControlSocket
from corepool.master.loop import Loop
from corepool.master.notify import ServiceManager
from corepool.master.restart import Backoff, Life
from corepool.master.signals import HANDLED, Signals
from corepool.master.states import TRANSITIONS, Event, State, step
from corepool.spec.counters import OF_SERVICES

if TYPE_CHECKING:
    from pathlib import Path


STARTS = 4
RACES = 50


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_a_step_is_in_the_table_or_raises(state: State, event: Event) -> None:
    if (state, event) in TRANSITIONS:
        assert step(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(RuntimeError, match=str(state)):
            step(state, event)


def test_gone_is_the_end_and_every_state_gets_there() -> None:
    assert not any(state is State.GONE for state, _ in TRANSITIONS)
    assert all((state, Event.EXITED) in TRANSITIONS for state in State if state is not State.GONE)


LIVES = st.one_of(st.none(), st.builds(Life, st.floats(0, 100), st.floats(0, 100), st.booleans()))


@given(st.lists(st.tuples(LIVES, st.floats(0, 1)), min_size=1, max_size=2000))
def test_backoff_is_bounded_and_forgets(deaths: list[tuple[Life | None, float]]) -> None:
    backoff = Backoff(0.5, 30.0)
    for life, chance in deaths:
        delay_s = backoff.delay_s(life, chance)
        assert 0 <= delay_s <= 30 * 1.25
        if life is not None and life.served_s >= 1:
            assert delay_s == 0
            assert backoff.delay_s(None, 0.5) == 0.5
        if life is not None and life.was_last:
            assert delay_s <= 0.5 * 1.25
            if life.served_s >= life.boot_s:
                assert delay_s == 0


def test_workers_that_die_young_are_replaced_later_each_time() -> None:
    backoff = Backoff(0.5, 30.0)
    young = Life(boot_s=0.01, served_s=0.9, was_last=False)

    assert [backoff.delay_s(life, 0.5) for life in (None, young, None)] == [0.5, 1.0, 2.0]
    assert [backoff.delay_s(None, 0.5) for _ in range(10)][-1] == 30.0


def test_totals_never_go_backwards_when_a_worker_dies() -> None:
    board, place = Scoreboard(listeners=2), ListenerPlace(1)
    row = board.claim(0)
    row.cells[Cell.ACCEPTED], row.cells[Cell.CLOSED], row.cells[Cell.REQUESTS] = 10, 4, 7
    row.cells[listener_cell(place, "accepted")], row.cells[listener_cell(place, "closed")] = 10, 4
    for counter in OF_SERVICES:
        row.cells[listener_cell(place, counter.name)] = 5
    board.retire(row)

    assert [board.total(each) for each in ("accepted", "closed", "requests")] == [10, 10, 7]
    assert [board.total_of(place, each) for each in ("accepted", "closed")] == [10, 10]
    assert [board.total_of(place, each.name) for each in OF_SERVICES] == [5] * len(OF_SERVICES)
    assert [board.total(each.name) for each in OF_SERVICES] == [5] * len(OF_SERVICES)
    assert set(board.claim(0).cells) == {0}


def test_timers_fire_in_order_and_not_when_cancelled() -> None:
    now = [0.0]
    loop = Loop(lambda: now[0])
    fired: list[int] = []
    loop.call_later(2, lambda: fired.append(2))
    loop.call_later(1, lambda: fired.append(1))
    loop.call_later(1, lambda: fired.append(9)).cancel()
    now[0] = 3.0
    loop.turn(0)
    loop.close()

    assert fired == [1, 2]


def test_what_recurs_goes_on_after_a_failure_until_it_is_cancelled() -> None:
    now = [0.0]
    loop = Loop(lambda: now[0])
    called: list[float] = []

    def fail() -> None:
        called.append(now[0])
        raise RuntimeError

    interval_s = 1.0
    repetition = loop.repeat(lambda: interval_s, fail)
    for when in (0.5, 1.0, 1.9, 2.0):
        now[0] = when
        loop.turn(0)
    interval_s = 5.0
    for when in (3.0, 4.0, 8.0):
        now[0] = when
        loop.turn(0)
    repetition.cancel()
    now[0] = 20.0
    loop.turn(0)
    loop.close()

    assert called == [1.0, 2.0, 3.0, 8.0]


def test_an_error_in_a_handler_does_not_end_the_loop() -> None:
    loop = Loop()
    loop.call_later(0, lambda: 1 // 0)
    loop.turn(0.1)
    loop.close()


def test_signals_are_read_as_events_and_given_back() -> None:
    before = {signum: signal.getsignal(signum) for signum in HANDLED}
    signals = Signals()
    signals.install()
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGWINCH)
    os.kill(os.getpid(), signal.SIGHUP)
    counted = [signal.SIGTTIN, signal.SIGINT, signal.SIGTTIN, signal.SIGTTOU, signal.SIGINT]
    for signum in counted:
        os.kill(os.getpid(), signum)
    read = signals.read()
    assert signals.read() == []
    signals.restore()
    signals.restore()

    assert read == [signal.SIGWINCH, signal.SIGHUP, *counted]
    assert {signum: signal.getsignal(signum) for signum in HANDLED} == before


@pytest.mark.parametrize("abstract", [True, False])
def test_the_service_manager_is_told(tmp_path: Path, abstract: bool) -> None:  # noqa: FBT001
    name = f"corepool-notify-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(60)
        receiver.bind("\0" + name if abstract else str(tmp_path / name))
        path = "@" + name if abstract else str(tmp_path / name)
        manager = ServiceManager({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "3000000"}, os.getpid())
        manager.ready("2 workers")
        assert receiver.recv(100) == b"READY=1\nSTATUS=2 workers"
        assert manager.watchdog_interval_s == 1.5
        manager.reloading()
        assert receiver.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        manager.main_process(7)
        assert receiver.recv(100) == b"MAINPID=7\nREADY=1", "in one: the next would come from another process"
        manager.stopping()
        receiver.setblocking(False)
        with pytest.raises(BlockingIOError):
            receiver.recv(100)
        manager = ServiceManager({"NOTIFY_SOCKET": path}, os.getpid())
    manager.stopping()  # the receiver has gone: logged, not raised
    manager.close()


def test_the_service_manager_is_told_later_what_it_could_not_be_told(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    manager = ServiceManager({"NOTIFY_SOCKET": str(path)}, os.getpid())
    manager.ready("2 workers")
    manager.reloading()
    manager.main_process(7)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(60)
        receiver.bind(str(path))
        manager.retry()
        received = [receiver.recv(100).split(b"\n")[0] for _ in range(3)]

    assert received == [b"READY=1", b"RELOADING=1", b"MAINPID=7"]
    manager.retry()


def test_another_processes_watchdog_is_not_fed() -> None:
    environment = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}
    manager = ServiceManager(environment, os.getpid())
    assert manager.watchdog_interval_s is None
    manager.close()


@pytest.fixture
def control(tmp_path: Path) -> tuple[ControlSocket, Loop, Path]:
    path = tmp_path / "deep" / "control.sock"
    loop = Loop()
    control = ControlSocket(path, {"status": lambda _: {"pid": 1}})
    control.listen()
    control.start(loop)
    return control, loop, path


def ask(loop: Loop, path: Path, data: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(data)
        client.setblocking(False)
        received = b""
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up:
            loop.turn(0.01)
            try:
                piece = client.recv(65536)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                break
            if not piece:
                break
            received += piece
        return received


def test_control_answers_garbage_with_an_error_and_goes_on(control: tuple[ControlSocket, Loop, Path]) -> None:
    its, loop, path = control
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for garbage in (b"\n", b"nonsense\n", b"[]\n", b"{}\n", b'{"command": []}\n', b"[" * 60_000 + b"\n", b"\xff\n"):
        assert json.loads(ask(loop, path, garbage))["ok"] is False
    assert ask(loop, path, b"x" * 200_000) == b""
    silent = []
    for _ in range(MAX_CLIENTS + 5):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(path))
        silent.append(client)
        loop.turn(0.01)
    for client in silent:
        client.close()
        loop.turn(0.01)
    assert json.loads(ask(loop, path, b'{"command": "status"}\n')) == {"ok": True, "result": {"pid": 1}}
    its.close()
    its.close()
    loop.close()
    assert not path.exists()


def test_control_replaces_a_stale_file_and_refuses_a_living_one(control: tuple[ControlSocket, Loop, Path]) -> None:
    its, loop, path = control
    with pytest.raises(ControlError, match="another process listens"):
        ControlSocket(path, {}).listen()
    its.close()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    next_one = ControlSocket(path, {})
    next_one.listen()
    path.unlink()
    path.write_text("somebody else's")
    next_one.close()
    loop.close()

    assert path.read_text() == "somebody else's"


def test_control_says_that_it_has_failed_when_a_command_does(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Also by an OSError, which might be taken for the client's end, and by a result that is no JSON."""

    def fail(_: object) -> object:
        raise OSError(5, "broken")

    loop = Loop()
    control = ControlSocket(tmp_path / "control.sock", {"fail": fail})
    control.listen()
    control.start(loop)
    reply = json.loads(ask(loop, tmp_path / "control.sock", b'{"command": "fail"}\n'))
    control.close()
    loop.close()

    assert reply == {"ok": False, "error": "internal error; see the log"}
    assert "control_command_failed command=fail" in caplog.text


def test_control_refuses_a_path_that_has_no_room_for_that_of_a_new_master(tmp_path: Path) -> None:
    room = MAX_CONTROL_PATH_BYTES - len(str(tmp_path)) - 1
    longest = ControlSocket(tmp_path / ("ü" * (room // 2) + "x" * (room % 2)), {})
    longest.listen()
    beside = ControlSocket(tmp_path / ("ü" * (room // 2) + "x" * (room % 2)), {})
    beside.listen(beside=True)
    beside.take_place()
    beside.close()
    longest.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ControlError, match="more than 106 bytes"):
        ControlSocket(tmp_path / ("x" * (room + 1)), {}).listen()


def test_of_many_that_begin_at_once_one_has_the_control_socket(tmp_path: Path) -> None:
    """None takes a file for stale whose owner is about to listen."""
    path = tmp_path / "control.sock"
    barrier = threading.Barrier(STARTS)

    def start(_: int) -> ControlSocket | None:
        control = ControlSocket(path, {})
        barrier.wait()
        try:
            control.listen()
        except ControlError:
            return None
        return control

    with ThreadPoolExecutor(STARTS) as threads:
        for _ in range(RACES):
            started = [each for each in threads.map(start, range(STARTS)) if each is not None]
            assert len(started) == 1
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
            started[0].close()
            assert not path.exists()


def at_default(folder: Path) -> ControlSocket:
    path = folder / "shop.sock"
    return ControlSocket(path, {}, Place("shop", path))


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_control_refuses_a_default_folder_that_others_may_write_to(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "corepool-1"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(ControlError, match="can be written by others"):
        at_default(folder).listen()
    with pytest.raises(ControlError, match="can be written by others"):
        refuse_others_folder(folder / "control.sock")
    folder.chmod(0o755)
    link = tmp_path / "link"
    link.symlink_to(folder)
    with pytest.raises(ControlError, match="is not a folder"):
        at_default(link).listen()
    assert list(folder.iterdir()) == []
    control = at_default(folder)
    control.listen()
    control.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to give a folder away")
def test_control_refuses_a_default_folder_of_another_user(tmp_path: Path) -> None:
    os.chown(tmp_path, 54_322, -1)
    with pytest.raises(ControlError, match="belongs to user 54322"):
        at_default(tmp_path).listen()
    os.chown(tmp_path, 0, -1)
