"""A failed bind leaves nothing behind."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from corepool import Metric
from corepool.config.load import parse_draft
from corepool.config.settings import ProcessSettings
from corepool.errors import ConfigError
from corepool.launch.places import Places
from corepool.launch.plan import Plan
from corepool.plugins.registry import Registry
from corepool.system import identity
from corepool.system.identity import Identity
from corepool_admin import Admin
from corepool_echo import Echo
from corepool_tcp import Tcp

if TYPE_CHECKING:
    import socket

    from corepool import Endpoint

TOML = b"""
[[listener]]
name = "a"
protocol = "echo"
bind = ["tcp://127.0.0.1:0", "tcp://127.0.0.1:0"]
"""


def test_a_transport_that_fails_unexpectedly_leaves_no_other_socket_open(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[socket.socket] = []
    listen = Tcp.listen

    def fail_at_last(self: Tcp, endpoint: Endpoint, backlog: int) -> socket.socket:
        if opened:
            raise RuntimeError("a bug")
        opened.append(listen(self, endpoint, backlog))
        return opened[0]

    monkeypatch.setattr(Tcp, "listen", fail_at_last)
    plan = Plan(parse_draft(TOML, "the test").finish(), Registry(), Places())

    with pytest.raises(RuntimeError, match="a bug"):
        plan.bind(Identity())

    assert [each.fileno() for each in opened] == [-1]


PER_WORKER = """
[pool]
workers = 2
[[listener]]
name = "a"
protocol = "echo"
bind = ["{}"]
bind_per_worker = true
[[listener]]
name = "b"
protocol = "echo"
bind = ["{}"]
"""


@pytest.mark.parametrize(
    ("own", "other", "number"),
    [
        ("tcp://127.0.0.1:29100", "tcp://127.0.0.1:29101", 1),
        ("unix:///tmp/{slot}.sock", "unix:///tmp/1.sock", 1),
        ("tcp://127.0.0.1:29100", "tcp://127.0.0.1:29102", 0),
        ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0", 0),
    ],
)
def test_an_address_of_a_worker_is_no_other_listeners(own: str, other: str, number: int) -> None:
    toml = PER_WORKER.replace("{}", own, 1).replace("{}", other, 1)
    plan = Plan(parse_draft(toml.encode(), "the test").finish(), Registry(), Places())

    mistakes: list[str] = []
    try:
        plan.finish()
    except ConfigError as error:
        mistakes = list(error.mistakes)

    assert (
        mistakes
        == [f"listener[1].bind[0]: {other}: already bound by listener[0].bind[0], for the worker in slot 1"] * number
    )


@pytest.mark.parametrize(("limit", "is_refused"), [(resource.RLIM_INFINITY, False), (0, True), (40, False), (24, True)])
def test_a_priority_is_refused_below_the_limit_only(
    limit: int,
    is_refused: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(identity, "_has_capability", lambda _: False)
    real = resource.getrlimit
    monkeypatch.setattr(
        resource, "getrlimit", lambda which: (limit, limit) if which == resource.RLIMIT_NICE else real(which)
    )

    found = list(identity.examine(ProcessSettings(nice=-15)))

    assert [each.partition(":")[0] for each in found] == ["process.nice = -15"] * is_refused


TWO_PROTOCOLS = b"""
[[listener]]
name = "a"
protocol = "echo"
bind = "tcp://127.0.0.1:0"
[[listener]]
name = "b"
protocol = "admin"
bind = "tcp://127.0.0.1:0"
"""


@pytest.mark.parametrize(
    ("other", "refused"),
    [
        (Metric("cups", "Of tea.", labels={"size": ("s", "l"), "kind": ("tea",)}), False),
        (Metric("cups", "Cups.", "gauge", labels={"size": ("s", "l"), "kind": ("tea",)}), True),
        (Metric("cups", "Cups.", labels={"kind": ("tea",), "size": ("s", "l")}), True),
        (Metric("cups", "Cups."), True),
    ],
)
def test_metrics_of_one_name_that_cannot_be_one_family_are_a_mistake(
    other: Metric, *, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    its = Metric("cups", "Cups.", labels={"size": ("s", "l"), "kind": ("tea",)})
    monkeypatch.setattr(Echo, "metrics", (its,), raising=False)
    monkeypatch.setattr(Admin, "metrics", (other,), raising=False)
    plan = Plan(parse_draft(TWO_PROTOCOLS, "the test").finish(), Registry(), Places())
    if not refused:
        plan.finish()
        return
    with pytest.raises(ConfigError, match=r"listener\[1\]: its protocol's metric 'cups' has another kind"):
        plan.finish()
