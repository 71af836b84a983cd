"""Targets and hooks in files of one's own, and pools of scripts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from http_client import get

import corepool
from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

SHOP = """
def make(name="by default"):
    def app(environ, start_response):
        start_response("200 OK", [])
        return [name.encode()]
    return app

app = make("as app")
"""
HOOKS = """
from pathlib import Path
from corepool import hookimpl

class Hooks:
    @hookimpl
    def on_ready(self, pool):
        print("ready", flush=True)

    @hookimpl
    def on_worker_start(self, worker):
        print("VERSION of worker", worker.slot, flush=True)

    @hookimpl
    def on_child_exit(self, worker, exit):
        print("ended", exit.cause, flush=True)
"""
SIGNALS = """
import os
from pathlib import Path
from corepool import hookimpl

class Hooks:
    @hookimpl
    def on_ready(self, pool):
        Path("group").write_text(str(os.getpgrp()))
        Path("ready").touch()

    @hookimpl
    def on_signal(self, signum):
        print(f"got {signum:d};", flush=True)
"""
OF_A_SCRIPT = "workers=1, control='c.sock', extension=['./hooks.py:Hooks']"
RUN_ECHO = f"corepool.run(protocol='echo', bind='127.0.0.1:0', {OF_A_SCRIPT})"


@pytest.mark.parametrize(
    ("target", "body"),
    [("shop", b"as app"), ("shop:make", b"by default"), ('shop:make("prod")', b"prod"), ("shop:make()", b"by default")],
)
def test_a_module_a_factory_and_a_call_of_one_are_targets(target: str, body: bytes) -> None:
    with PoolProcess.serve("http", target, "-b", "127.0.0.1:0", "-w", "1", files={"shop.py": SHOP}) as pool:
        assert get(pool, "/").body == body
        pool.stop()

    assert ("factory_called" in pool.stderr) == (target == "shop:make")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("empty", "has neither 'application' nor 'app'; say empty:NAME"),
        ("nothing", "there is no module 'nothing'"),
        ("shop:nothing", "module 'shop' has no 'nothing'"),
    ],
)
def test_a_target_that_there_is_not_ends_the_boot_in_words(target: str, words: str) -> None:
    files = {"shop.py": SHOP, "empty.py": ""}
    with PoolProcess.serve("http", target, "-b", "127.0.0.1:0", "-w", "1", files=files, wait=False) as pool:
        assert pool.wait() == 3
    assert words in pool.stderr


def test_hooks_of_a_file_are_called_and_read_again_at_a_reload() -> None:
    files = {"shop.py": SHOP, "hooks.py": HOOKS}
    hooks = ["--extension", "./hooks.py:Hooks"]
    with PoolProcess.serve("http", "shop", "-b", "127.0.0.1:0", "-w", "1", *hooks, files=files) as pool:
        wait_until(lambda: "VERSION of worker 0" in pool.stdout and "ready" in pool.stdout)
        (pool.directory / "hooks.py").write_text(HOOKS.replace("VERSION", "SECOND"))
        pool.request("reload")
        wait_until(lambda: "SECOND of worker 0" in pool.stdout and "ended replaced" in pool.stdout)
        pool.stop()


def test_hooks_of_a_module_are_called() -> None:
    files = {"shop.py": SHOP, "hooks.py": HOOKS}
    with PoolProcess.serve("echo", "-b", "127.0.0.1:0", "-w", "1", "--extension", "hooks:Hooks", files=files) as pool:
        wait_until(lambda: "VERSION of worker 0" in pool.stdout)
        pool.stop()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("./missing.py:Hooks", "FileNotFoundError"),
        ("./hooks.py:Hoks", "has no class 'Hoks'; it has: Hooks"),
        ("missing:Hooks", "No module named 'missing'"),
        ("./wrong.py:Hooks", "ZeroDivisionError"),
    ],
)
def test_hooks_that_there_are_not_are_a_mistake(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "hooks.py").write_text("class Hooks: pass\n")
    (tmp_path / "wrong.py").write_text("1 / 0\n")
    command = [sys.executable, "-m", "corepool", "serve", "echo", "-b", "0", "--extension", name]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603

    assert done.returncode == 2
    assert words in done.stderr
    assert "--extension" in done.stderr


def test_a_script_runs_a_pool_until_it_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "hooks.py").write_text(SIGNALS)
    path = tmp_path / "web.sock"
    source = f"import corepool; corepool.run('shop:app', bind='unix:{path}', {OF_A_SCRIPT}, reload=None)"
    with subprocess.Popen([sys.executable, "-c", source], cwd=tmp_path) as script:  # noqa: S603
        try:
            wait_until((tmp_path / "ready").exists)  # the socket's file is there before it listens
            with connect(f"unix:{path}") as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert client.makefile("rb").read().endswith(b"as app")
        finally:
            script.send_signal(signal.SIGTERM)
        assert script.wait() == 0


def test_a_script_ends_with_the_status_of_its_pool() -> None:
    with pytest.raises(SystemExit) as ended:
        corepool.run(protocol="echo", bind="127.0.0.1:x")
    assert ended.value.code == 2

    with pytest.raises(TypeError, match="module:attribute"):
        corepool.run(object())  # type: ignore[arg-type]


def test_a_terminals_interrupt_reaches_the_pool_of_a_script_once(tmp_path: Path) -> None:
    (tmp_path / "hooks.py").write_text(SIGNALS)
    source = f"import corepool; {RUN_ECHO}"
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", source], cwd=tmp_path, stdout=subprocess.PIPE, text=True, process_group=0
    ) as script:
        try:
            wait_until((tmp_path / "ready").exists)
            assert int((tmp_path / "group").read_text()) != script.pid
        finally:
            os.killpg(script.pid, signal.SIGINT)
        assert script.wait() == 0
        assert script.stdout is not None
        assert script.stdout.read().count("got 2;") == 1


def test_a_scripts_pool_is_not_upgraded_and_ignored_signals_stay_so(tmp_path: Path) -> None:
    (tmp_path / "hooks.py").write_text(SIGNALS)
    source = (
        f"import corepool, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); {RUN_ECHO}; "
        "print('ignored' if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else 'handled')"
    )
    with subprocess.Popen([sys.executable, "-c", source], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as script:  # noqa: S603
        try:
            wait_until((tmp_path / "ready").exists)
            upgrade = [sys.executable, "-m", "corepool", "upgrade", "--control", "c.sock"]
            done = subprocess.run(upgrade, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603
            script.send_signal(signal.SIGHUP)
        finally:
            script.send_signal(signal.SIGTERM)
        assert script.wait() == 0
        assert script.stdout is not None
        said = script.stdout.read()

    assert done.returncode == 1
    assert "as corepool.run has it" in done.stderr
    assert f"got {signal.SIGHUP:d};" not in said
    assert "ignored" in said


def test_a_script_that_its_own_workers_import_needs_a_guard() -> None:
    files = {"shop.py": SHOP + "import corepool\ncorepool.run('shop:app', bind='127.0.0.1:0')\n"}
    with PoolProcess.serve("http", "shop", "-b", "127.0.0.1:0", "-w", "1", files=files, wait=False) as pool:
        assert pool.wait() == 3
    assert "RuntimeError" in pool.stderr
    assert 'if __name__ == "__main__":' in pool.stderr


def test_a_dict_is_pairs(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "hooks.py").write_text(SIGNALS)
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "a.txt").write_text("a file")
    path = tmp_path / "web.sock"
    static = f"static={{'/static/': '{tmp_path}/public'}}"
    source = f"import corepool; corepool.run('shop:app', bind='unix:{path}', {OF_A_SCRIPT}, {static})"
    with subprocess.Popen([sys.executable, "-c", source], cwd=tmp_path) as script:  # noqa: S603
        try:
            wait_until((tmp_path / "ready").exists)  # the socket's file is there before it listens
            with connect(f"unix:{path}") as client:
                client.sendall(b"GET /static/a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert client.makefile("rb").read().endswith(b"a file")
        finally:
            script.send_signal(signal.SIGTERM)
        assert script.wait() == 0


@pytest.mark.parametrize("given", ["", ", directory='other'"])
def test_a_script_finds_the_modules_beside_it_from_any_folder(tmp_path: Path, given: str) -> None:
    for folder in ("scripts", "elsewhere/other"):
        (tmp_path / folder).mkdir(parents=True)
        body = f"def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'{folder}']\n"
        (tmp_path / folder / "shop.py").write_text(body)
    path = tmp_path / "s"
    source = f"corepool.run('shop:app', bind='unix:{path}', workers=1{given})"
    (tmp_path / "scripts" / "serve.py").write_text(f"import corepool\nif __name__ == '__main__':\n    {source}\n")
    command = [sys.executable, "../scripts/serve.py"]
    with subprocess.Popen(command, cwd=tmp_path / "elsewhere") as script:  # noqa: S603 - the test's own
        wait_until(path.exists)
        with connect(f"unix:{path}") as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert receive_all(client).endswith(b"elsewhere/other" if given else b"scripts")
        script.send_signal(signal.SIGTERM)
    assert script.wait() == 0


def test_a_script_of_a_protocol_without_modules_has_no_folder_for_them(tmp_path: Path) -> None:
    call = "corepool.run(protocol='echo', bind='127.0.0.1:0')"
    (tmp_path / "serve.py").write_text(f"import corepool\nif __name__ == '__main__':\n    {call}\n")
    command = [sys.executable, str(tmp_path / "serve.py")]
    with subprocess.Popen(command, cwd="/", stdout=subprocess.PIPE, text=True) as script:  # noqa: S603
        assert script.stdout is not None
        assert "listening" in script.stdout.readline()
        script.send_signal(signal.SIGTERM)
    assert script.wait() == 0
