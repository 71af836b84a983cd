"""`corepool check` on `accept_proxy`: networks that are mistakes, and those that are allowed and hardly meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Corepool

    from corepool.testing.pools import Pools

TOML = """[pool]
workers = 1
dispatcher = "{dispatcher}"
[[listener]]
name = "it"
bind = {bind}
protocol = "echo"
accept_proxy = {accept}
"""
TCP, UNIX, BOTH = '"tcp://127.0.0.1:0"', '"unix:@corepool-check"', '["tcp://127.0.0.1:0", "unix:@corepool-check"]'
ALL = "every host that reaches the listener may claim any client's address; name the proxies"


def toml(accept: str, bind: str = TCP, dispatcher: str = "round-robin") -> str:
    return TOML.format(accept=accept, bind=bind, dispatcher=dispatcher)


@pytest.mark.parametrize(
    ("accept", "bind", "mistake"),
    [
        ('"10.0.0.1/8"', TCP, '.accept_proxy[0] = "10.0.0.1/8": bits are set beyond the prefix'),
        ('["::1", "10.0.0.0/33"]', TCP, '.accept_proxy[1] = "10.0.0.0/33": expected a network such as "10.0.0.0/8"'),
        ('"proxy.example"', TCP, '.accept_proxy[0] = "proxy.example": expected a network such as "10.0.0.0/8"'),
        ('"*"', TCP, '.accept_proxy[0] = "*": expected a network such as "10.0.0.0/8"'),
        ("[5]", TCP, '.accept_proxy[0] = 5: expected a network such as "10.0.0.0/8"'),
        ('"unix"', TCP, '.accept_proxy = ["unix"]: the listener has no UNIX socket; name the networks of the proxies'),
        ('"10.0.0.0/8"', UNIX, '.accept_proxy: it has no "unix", and the listener has UNIX sockets only'),
    ],
)  # fmt: skip
def test_a_mistake_has_its_line(corepool: Corepool, tmp_path: Path, accept: str, bind: str, mistake: str) -> None:
    (tmp_path / "corepool.toml").write_text(toml(accept, bind))
    done = corepool("check")
    assert done.returncode == 2
    assert f"corepool.toml:8: listener[0]{mistake}" in done.stderr


@pytest.mark.parametrize(
    ("accept", "bind", "dispatcher", "warnings"),
    [
        ('["10.0.0.0/8", "unix"]', BOTH, "round-robin", []),
        ('["10.0.0.0/8", "unix"]', TCP, "round-robin", []),
        ("[]", TCP, "source-hash", []),
        ('["::1", "0.0.0.0/0"]', TCP, "round-robin", [f'[1] = "0.0.0.0/0": {ALL}']),
        ('"::/0"', TCP, "round-robin", [f'[0] = "::/0": {ALL}']),
        ('"10.0.0.0/8"', TCP, "source-hash", [": dispatcher 'source-hash' is asked before the header is read"]),
    ],
)
def test_a_setting_that_is_hardly_meant_is_a_warning(
    corepool: Corepool, tmp_path: Path, accept: str, bind: str, dispatcher: str, warnings: list[str]
) -> None:
    (tmp_path / "corepool.toml").write_text(toml(accept, bind, dispatcher))
    done = corepool("check")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert len(lines) == len(warnings)
    for line, warning in zip(lines, warnings, strict=True):
        assert line.startswith(f"warning: corepool.toml:8: listener[0].accept_proxy{warning}")


def test_a_start_logs_it_as_well(pool: Pools) -> None:
    running = pool.serve("echo", "-b", "127.0.0.1:0", "-w", "1", "--accept-proxy", "0.0.0.0/0")
    running.wait_logged("setting_doubtful", 'setting="listener[0].accept_proxy[0] = \\"0.0.0.0/0\\""')


@pytest.mark.parametrize("flag", ["--proxy-protocol", "--proxy-allow-from=10.0.0.1"])
def test_the_flags_of_gunicorn_are_answered(corepool: Corepool, flag: str) -> None:
    done = corepool("serve", "http", "app:app", flag)
    assert done.returncode == 2
    assert "here: --accept-proxy NETWORK" in " ".join(done.stderr.split())
