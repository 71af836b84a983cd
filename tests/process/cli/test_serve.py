"""`corepool serve`: default addresses, and flags made from options and settings, with a real pool behind them."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest
from http_client import get

from corepool.plugins.registry import Registry
from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from conftest import Corepool

APPLICATION = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [f"{environ['wsgi.multithread']} {environ['SCRIPT_NAME']}".encode()]
"""


@pytest.mark.parametrize(("protocol", "port"), [("http", 8000), ("kv", 6379), ("echo", 7007), ("admin", 9007)])
def test_a_protocol_names_its_port(protocol: str, port: int) -> None:
    assert getattr(Registry().load("protocols", protocol), "default_port") == port  # noqa: B009


def test_without_an_address_the_protocols_port_on_the_loopback_is_taken(corepool: Corepool) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 7007))
        except OSError:
            pass  # so has another program: as good
        else:
            taken.listen()
        done = corepool("serve", "echo")

    assert done.returncode == 2
    assert "--bind: can't listen on tcp://127.0.0.1:7007: the address is in use" in done.stderr


def test_options_are_flags_and_so_are_keys_of_listener_and_pool() -> None:
    arguments = ["--threads", "4", "http", "app:app", "-b", "127.0.0.1:0", "--root-path", "/api", "--surge=2"]
    arguments += ["--keep-on-crash", "--extension", "access", "--extension-option", "access.allow=127.0.0.0/8"]
    with PoolProcess.serve(*arguments, "--idle-timeout", "5m", "-o", "server=x", files={"app.py": APPLICATION}) as pool:
        response = get(pool, "/")
        pool.stop()

    assert response.body == b"True /api"
    assert response.header("server") == "x"


def test_an_extension_that_a_flag_names_is_asked() -> None:
    refusing = ["--extension", "access", "--extension-option", "access.deny=127.0.0.0/8"]
    with PoolProcess.serve("echo", "-b", "127.0.0.1:0", "-w", "1", *refusing) as pool:
        with pool.connect() as client:
            assert client.recv(1) == b""
        pool.stop()


def test_listening_on_every_address_is_a_warning_and_on_one_is_none() -> None:
    with PoolProcess.serve("echo", "-b", ":0", "-b", "[::1]:0", "-w", "1") as pool:
        wait_until(lambda: "pool_ready" in pool.stderr or "worker_ready" in pool.stderr)
        pool.stop()

    warnings = [line for line in pool.stderr.splitlines() if "listens_on_every_address" in line]
    assert len(warnings) == 1
    assert "tcp://0.0.0.0:" in warnings[0]
    assert "is this machine's own" in warnings[0]


def test_the_help_of_a_protocol_shows_its_options_in_sections(corepool: Corepool) -> None:
    shown = corepool("serve", "http", "--help").stdout

    assert [line for line in shown.splitlines() if line.endswith(":") and not line.startswith(" ")] == [
        *("Arguments:", "Options:", "Options of http:", "[listener]:", "[pool]:"),
    ]
    flags = ("--threads VALUE", "--root-path VALUE", "--listing / --no-listing")
    assert [flag for flag in flags if flag not in shown] == []
    assert "--threads" not in corepool("serve", "echo", "--help").stdout


def test_a_secret_has_no_flag(corepool: Corepool) -> None:
    shown = corepool("serve", "kv", "--help").stdout

    assert "--password-file" in shown
    assert "--password " not in shown


def test_plugins_shows_the_options_of_one(corepool: Corepool) -> None:
    shown = corepool("plugins", "limits")
    (told,) = json.loads(corepool("plugins", "limits", "--json").stdout)

    assert shown.returncode == 0
    assert "per_peer = a whole number, 1 or more; unset" in shown.stdout
    assert {"key": "ipv6_prefix", "default": "`64`"}.items() <= told["options"][4].items()


def test_a_plugin_that_there_is_not_is_answered_with_the_nearest(corepool: Corepool) -> None:
    done = corepool("plugins", "limit")

    assert done.returncode == 2
    assert "no plugin is named 'limit' (did you mean 'limits'?)" in done.stderr


def test_mistakes_name_the_flag_with_the_key(corepool: Corepool) -> None:
    done = corepool("serve", "echo", "--extension", "access", "--extension-option", "access.nope=1")

    assert "--extension-option access.nope: unknown key" in done.stderr
    assert "--extension-option access: either" in done.stderr


@pytest.mark.parametrize("network", ["10.0.0.0/99", "10.0.0.1/8", "proxy"])
def test_a_network_that_is_none_is_told_the_forms(network: str, corepool: Corepool) -> None:
    done = corepool("serve", "http", "-o", "root=.", "--trusted-proxies", network)

    assert done.returncode == 2
    assert f'--trusted-proxies[0] = "{network}":' in done.stderr
    assert "expected a network such as 10.0.0.0/8" in done.stderr
