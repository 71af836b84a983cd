"""The clock of calls in the loop: it is read only if long ones are to be logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from corepool.build import is_compiled
from corepool_http import Http, HttpOptions
from corepool_http.apps import wsgi, wsgi_inline

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.conversation import Conversations

STREAM = """
def app(environ, start_response):
    start_response("200 OK", [])
    for _piece in range(40):  # over several turns of the loop
        yield b"."
"""


@pytest.mark.skipif(is_compiled(), reason="there it is read in C, by the same code")
@pytest.mark.parametrize(("slow_call", "read"), [(0, set()), (1, {wsgi.__name__, wsgi_inline.__name__})])
def test_the_clock_is_read_only_if_there_is_a_limit(
    slow_call: float, read: set[str], connection: Conversations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[str] = []
    for module in (wsgi, wsgi_inline):
        monkeypatch.setattr(module, "monotonic", lambda name=module.__name__: readings.append(name) or 0.0)
    (tmp_path / "stream_of_pieces.py").write_text(STREAM)
    options = {"target": "stream_of_pieces:app", "directory": str(tmp_path), "slow_call": slow_call}
    client = connection(Http(HttpOptions.model_validate(options)))

    client.send(b"GET / HTTP/1.0\r\n\r\n")

    assert client.receive().endswith(b"\r\n\r\n" + b"." * 40)
    assert set(readings) == read
