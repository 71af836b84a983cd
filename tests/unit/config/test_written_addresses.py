"""Addresses as people write them, and lists and names that need not be written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool.config.addresses import url_of
from corepool.config.load import parse_draft
from corepool.config.plugin_options import validate_options
from corepool.spec.options import Options
from corepool.spec.transport import Endpoint


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("8000", "tcp://127.0.0.1:8000"),
        (":8000", "tcp://:8000"),
        ("127.0.0.1:8000", "tcp://127.0.0.1:8000"),
        ("localhost:8000", "tcp://localhost:8000"),
        ("*:8000", "tcp://*:8000"),
        ("[::1]:8000", "tcp://[::1]:8000"),
        ("unix:/run/x.sock", "unix:/run/x.sock"),
        ("unix:@name", "unix:@name"),
        ("fd://3", "fd://3"),
        ("tcp://127.0.0.1:8000", "tcp://127.0.0.1:8000"),
        ("::1:8000", "::1:8000"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_short_address_is_a_url_and_any_other_text_stays(written: str, url: str) -> None:
    assert url_of(written) == url


@given(st.integers(0, 65_535), st.sampled_from(["", "127.0.0.1", "[::1]", "host.example", "*"]))
def test_every_host_and_port_is_taken_apart_again(port: int, host: str) -> None:
    endpoint = Endpoint.parse(url_of(f"{host}:{port}"))

    assert (endpoint.scheme, endpoint.host, endpoint.port) == ("tcp", host.strip("[]"), port)


def test_a_list_with_one_element_may_be_a_text_and_a_name_is_the_protocols() -> None:
    toml = """
[[listener]]
bind = "8000"
protocol = "http"
extensions = "access"
[[listener]]
bind = "unix:/x"
protocol = "http"
[[listener]]
name = "http-3"
bind = ["8001"]
protocol = "http"
[[listener]]
bind = ["8002"]
protocol = "http"
"""
    settings = parse_draft(toml.encode(), "a file").finish()

    assert [each.name for each in settings.listener] == ["http", "http-2", "http-3", "http-4"]
    assert settings.listener[0].bind == ("tcp://127.0.0.1:8000",)
    assert settings.listener[0].extensions == ("access",)


class Several(Options):
    several: tuple[str, ...] = ()
    one: int = 0


def test_a_text_is_a_list_of_one_where_an_option_wants_a_list() -> None:
    assert validate_options(Several, {"several": "a", "one": 1}, "options").several == ("a",)
