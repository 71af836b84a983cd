"""Several pools in one master: each has workers, a dispatcher and limits of its own."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from http_client import parse, request
from http_load import Load
from operated import blocked_workers, corepool, reload_by_signal, told

from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

POOL = """
[[pool]]
name = "{name}"
workers = {workers}
dispatcher = "{dispatcher}"
"""
LISTENER = """
[[listener]]
name = "{name}"
pool = "{pool}"
bind = ["unix://{folder}/{name}.sock"]
protocol = "http"
[listener.options]
target = "{target}:app"
"""
ADMIN = """
[[listener]]
name = "admin"
pool = "admin"
bind = ["unix://{folder}/admin.sock"]
protocol = "admin"
[listener.options]
timeout = 0.5
"""
WHO = """
import os
def app(environ, start_response):
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""
BLOCKS = """
import os, time
def app(environ, start_response):
    open(f"blocked-{os.getpid()}", "w").close()
    time.sleep(5)
    start_response("200 OK", [])
    return [b"done"]
"""


def pools(*given: tuple[str, int], dispatcher: str = "least-connections") -> str:
    return "".join(POOL.format(name=name, workers=workers, dispatcher=dispatcher) for name, workers in given)


def listeners(where: Path | str, **pools_of: str) -> str:
    return "".join(
        LISTENER.format(name=name, pool=pool, folder=where, target="who" if name != "slow" else "blocks")
        for name, pool in pools_of.items()
    )


def begin(pool: Pools, toml: str, **files: str) -> PoolProcess:
    return pool(toml, files={"who.py": WHO, "blocks.py": BLOCKS, **files}, traceback=True)


def rewrite(running: PoolProcess, toml: str) -> None:
    (running.directory / "corepool.toml").write_text(toml)


def workers_of(running: PoolProcess, name: str) -> list[int]:
    return [worker["pid"] for worker in running.status()["workers"] if worker["pool"] == name]


def body(running: PoolProcess, name: str, path: str = "/") -> bytes:
    url = next(each["bind"][0] for each in running.status()["listeners"] if each["name"] == name)
    with connect(url) as client:
        client.sendall(request(path))
        return parse(receive_all(client), ["GET"])[0].body


def serving(running: PoolProcess, name: str) -> int:
    return int(body(running, name))


@pytest.mark.parametrize("dispatcher", ["least-connections", "kernel"])
def test_each_listener_is_served_by_its_pool(pool: Pools, tmp_path: Path, dispatcher: str) -> None:
    toml = pools(("web", 2), ("api", 1), dispatcher=dispatcher) + listeners(tmp_path, site="web", calls="api")
    running = begin(pool, toml)
    assert len(workers_of(running, "web")) == 2
    assert len(workers_of(running, "api")) == 1
    for _ in range(5):
        assert serving(running, "site") in workers_of(running, "web")
        assert serving(running, "calls") in workers_of(running, "api")
    status = running.status()
    assert {each["name"]: each["pool"] for each in status["listeners"]} == {"site": "web", "calls": "api"}
    assert [(each["name"], each["state"], each["wanted"]) for each in status["pools"]] == [
        ("web", "ready", 2),
        ("api", "ready", 1),
    ]
    running.wait_logged("web/1")


def test_a_crash_costs_only_its_pool(pool: Pools, tmp_path: Path) -> None:
    running = begin(pool, pools(("web", 1), ("api", 1)) + listeners(tmp_path, site="web", calls="api"))
    (api,) = workers_of(running, "api")
    with Load(f"unix://{tmp_path}/site.sock") as load:
        os.kill(api, signal.SIGKILL)
        wait_until(lambda: workers_of(running, "api") not in ([], [api]))
        assert serving(running, "calls") != api
    assert load.failures == []


def test_commands_name_their_pool(pool: Pools, tmp_path: Path) -> None:
    running = begin(pool, pools(("web", 1), ("api", 1)) + listeners(tmp_path, site="web", calls="api"))
    refused = corepool(running, "scale", "3")
    assert (refused.returncode, "there are several pools; say which: web, api" in refused.stderr) == (1, True)
    assert "no pool named 'wbe'" in corepool(running, "scale", "3", "--pool", "wbe").stderr
    assert told(running, "scale", "3", "--pool", "web") == "workers: 3"
    wait_until(lambda: len(workers_of(running, "web")) == 3)
    (before,) = workers_of(running, "api")
    assert corepool(running, "drain", "api/0").returncode == 0
    wait_until(lambda: workers_of(running, "api") not in ([before], []) and len(workers_of(running, "api")) == 1)
    assert "neither SLOT nor POOL/SLOT" in corepool(running, "drain", "api").stderr
    assert " api " in corepool(running, "status").stdout


def test_pools_and_listeners_come_go_and_change_places(pool: Pools, tmp_path: Path) -> None:
    first = pools(("web", 2)) + listeners(tmp_path, site="web")
    second = pools(("web", 1), ("api", 2)) + listeners(tmp_path, site="api", other="web")
    third = pools(("api", 1)) + listeners(tmp_path, site="api")
    running = begin(pool, first)
    with Load(f"unix://{tmp_path}/site.sock") as load:
        for _ in range(3):
            for toml, site, count in ((second, "api", 3), (third, "api", 1), (first, "web", 2)):
                rewrite(running, toml)
                reload_by_signal(running)
                assert running.status()["reload"]["error"] == ""
                assert serving(running, "site") in workers_of(running, site)
                wait_until(lambda count=count: len(running.workers()) == count)
    assert load.failures == []
    assert len(load.bodies) > 3


@pytest.mark.parametrize("dispatcher", ["least-connections", "kernel"])
def test_a_new_pool_that_cannot_boot_changes_nothing(pool: Pools, tmp_path: Path, dispatcher: str) -> None:
    good = pools(("web", 2), dispatcher=dispatcher) + listeners(tmp_path, site="web")
    running = begin(pool, good)
    before = set(running.workers())
    for target in ("absent", "broken"):
        bad = good + pools(("api", 1)) + listeners(tmp_path, calls="api").replace("who:app", f"{target}:app")
        rewrite(running, bad)
        (running.directory / "broken.py").write_text("1 // 0\n")
        with Load(f"unix://{tmp_path}/site.sock") as load:
            reload_by_signal(running)
            status = running.status()
            assert status["reload"]["state"] == "failed"
            assert "worker api/0 could not boot" in status["reload"]["error"]
            wait_until(lambda: {each["name"] for each in running.status()["pools"]} == {"web"})
            wait_until(lambda: len(running.workers()) == 2)
        assert load.failures == []
    rewrite(running, good)
    reload_by_signal(running)
    assert not before & set(running.workers())
    assert not (running.directory / "calls.sock").exists()


def test_one_pool_that_cannot_boot_ends_the_start(pool: Pools, tmp_path: Path) -> None:
    toml = pools(("web", 1), ("api", 1)) + listeners(tmp_path, site="web", calls="api")
    toml = toml.replace("who:app", "broken:app", 1)
    running = pool(toml, files={"who.py": WHO, "broken.py": "1 // 0\n"}, wait=False, exit_status=3, traceback=True)
    running.wait()
    assert "worker web/0 could not boot, so the pool does not start" in running.stderr
    assert "ZeroDivisionError" in running.stderr


def test_an_upgrade_takes_every_socket_over(pool: Pools, tmp_path: Path) -> None:
    toml = pools(("web", 1), ("api", 1)) + listeners(tmp_path, site="web", calls="api")
    running = begin(pool, toml)
    with Load(f"unix://{tmp_path}/site.sock") as load, Load(f"unix://{tmp_path}/calls.sock") as other:
        done = corepool(running, "upgrade", "--json")
        assert done.returncode == 0
        pid = json.loads(done.stdout)["pid"]
        wait_until(lambda: running.status()["pid"] == pid)
        assert serving(running, "calls") in workers_of(running, "api")
    assert load.failures == other.failures == []
    assert corepool(running, "stop").returncode == 0
    assert running.wait() == 0


def test_the_admin_of_a_master_answers_while_every_other_worker_is_blocked(pool: Pools, tmp_path: Path) -> None:
    toml = pools(("web", 2), ("admin", 1)) + listeners(tmp_path, slow="web") + ADMIN.format(folder=tmp_path)
    running = begin(pool, toml.replace("least-connections", "round-robin"))
    with blocked_workers(running, f"unix://{tmp_path}/slow.sock", "/"):
        for path in ("/livez", "/status", "/metrics"):
            assert body(running, "admin", path)
        assert body(running, "admin", "/readyz") == b"ready: 2 of 2 workers are ready\n"
        assert json.loads(body(running, "admin", "/status"))["pid"] == running.pid


def test_the_admin_of_a_stopped_master_says_so(pool: Pools, tmp_path: Path) -> None:
    running = begin(pool, pools(("admin", 1)) + ADMIN.format(folder=tmp_path))
    with connect(f"unix://{tmp_path}/admin.sock") as client:
        client.sendall(request("/livez", close=False))
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        os.kill(running.pid, signal.SIGSTOP)
        try:
            client.sendall(request("/livez", close=False))
            assert client.recv(1000).startswith(b"HTTP/1.1 503")
        finally:
            os.kill(running.pid, signal.SIGCONT)
        client.sendall(request("/livez", close=False))
        assert client.recv(1000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        (pools(("a", 1), ("a", 1)) + listeners("/x", l="a"), 'pool[0].name = "a": another pool has this name'),
        (pools(("a", 1), ("b", 1)) + listeners("/x", l="a"), 'pool[1]: no listener says pool = "b"'),
        (pools(("web", 1), ("b", 1)) + listeners("/x", l="wbe", m="b"), "no pool has this name (did you mean 'web'?)"),
        (
            pools(("a", 1), ("b", 1)) + listeners("/x", l="a", m="b").replace('pool = "a"\n', ""),
            "listener[0].pool: missing; there are several: a, b",
        ),
        ("[[pool]]\nworkers = 1\n" + pools(("b", 1)) + listeners("/x", l="b"), "pool[0].name: missing"),
        (
            pools(("a", 1)) + "wrokers = 1\n" + listeners("/x", l="a"),
            "pool[0].wrokers: unknown key (did you mean 'workers'?)",
        ),
        (pools(("a", 0)) + listeners("/x", l="a"), "pool[0].workers = 0: expected at least 1"),
    ],
)
def test_mistakes_are_told(pool: Pools, toml: str, says: str) -> None:
    running = pool(toml, files={"who.py": WHO}, wait=False, exit_status=2)
    running.wait()
    assert says in running.stderr


def test_the_environment_speaks_of_every_pool(pool: Pools, tmp_path: Path) -> None:
    toml = pools(("web", 1), ("api", 1)) + listeners(tmp_path, site="web", calls="api")
    running = pool(toml, files={"who.py": WHO}, environment={"COREPOOL_POOL_WORKERS": "2"})
    assert (len(workers_of(running, "web")), len(workers_of(running, "api"))) == (2, 2)


def test_the_example_of_the_documentation_runs(pool: Pools) -> None:
    text = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    toml = text.partition("## Several pools")[2].partition("```toml\n")[2].partition("```")[0]
    running = pool(toml.replace(":8007", ":0").replace(":9007", ":0"))
    assert body(running, "probes", "/readyz") == b"ready: 2 of 2 workers are ready\n"
    assert body(running, "shop")


def test_a_listener_goes_to_another_pool_while_clients_wait_for_it(pool: Pools, tmp_path: Path) -> None:
    slow = "import os, time\nwhile os.path.exists('hold'): time.sleep(0.01)\n" + WHO
    before = pools(("a", 1), ("b", 2), ("c", 1)) + listeners(tmp_path, slow="a", stays="a", leaves="b", gone="c")
    running = begin(pool, before, **{"blocks.py": slow})
    (running.directory / "hold").touch()
    (first,) = workers_of(running, "a")
    rewrite(running, pools(("a", 1), ("b", 2)) + listeners(tmp_path, slow="b", stays="a"))
    running.send_signal(signal.SIGHUP)
    # No worker of `a` serves it any more, and none of `b` yet.
    wait_until(lambda: workers_of(running, "a") and first not in workers_of(running, "a"))

    clients = [connect(f"unix://{tmp_path}/slow.sock") for _ in range(3)]
    for client in clients:
        client.sendall(request("/"))
    (running.directory / "hold").unlink()
    answers = [int(parse(receive_all(client), ["GET"])[0].body) for client in clients]
    for client in clients:
        client.close()

    assert set(answers) <= set(workers_of(running, "b"))
    wait_until(lambda: {each["name"] for each in running.status()["pools"]} == {"a", "b"})
    assert running.status()["reload"]["state"] == "done"
    assert serving(running, "slow") in workers_of(running, "b")
    wait_until(lambda: len(running.left_over()) == 4)
    assert "master_failed" not in running.stderr
