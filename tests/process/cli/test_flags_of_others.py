"""Every flag of gunicorn and uvicorn is a flag here, or is answered with its name here."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING

import pytest
import typer
from gunicorn.config import Config

from corepool.cli.foreign import GUNICORN, UVICORN, answer_to
from corepool.cli.serve import ServeCommand, serve_for

if TYPE_CHECKING:
    from collections.abc import Mapping

SAME = {
    *("--backlog", "--bind", "-b", "--factory", "--help", "-h", "--interface", "--keep-alive", "--lifespan"),
    *("--log-level", "--name", "--reload", "--root-path", "--threads", "--workers", "-w", "--access-log"),
    *("--certfile", "--keyfile", "--env-file", "--log-config", "--reload-dir", "--reload-exclude", "--reload-include"),
    *("--http2", "--http2-max-concurrent-streams"),
}
"""Flags that mean the same here."""


def flags_of_gunicorn() -> set[str]:
    return {flag for action in Config().parser()._actions for flag in action.option_strings}  # noqa: SLF001


def flags_of_uvicorn() -> set[str]:
    options = importlib.import_module("uvicorn.main").main.params
    return {flag for each in options for flag in (*each.opts, *each.secondary_opts) if flag.startswith("-")}


def flags_here() -> set[str]:
    app = typer.Typer(add_completion=False)
    app.command("serve", cls=ServeCommand)(serve_for(["http"]))
    command = typer.main.get_command(app)
    return {flag for each in command.params for flag in (*each.opts, *each.secondary_opts)} | {"--help", "-h"}


@pytest.mark.parametrize(
    ("theirs", "answers"), [(flags_of_gunicorn(), GUNICORN), (flags_of_uvicorn(), UVICORN)], ids=["gunicorn", "uvicorn"]
)
def test_each_flag_has_the_same_name_or_an_answer_whose_flags_there_are(
    theirs: set[str], answers: Mapping[str, str]
) -> None:
    here = flags_here()

    assert theirs - SAME - set(answers) == set()
    assert set(answers) & here == set(), "an answer that would never be given"
    named = {flag for answer in answers.values() for flag in re.findall(r"(?<!\w)--[a-z0-9-]+", answer)}
    assert named - here - {"--version"} == set()
    assert (theirs & SAME) - here == set()


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["-k", "gevent"], "-k is a flag of gunicorn; here: --threads N for WSGI; ASGI is recognised"),
        (["--port=80"], "--port is a flag of uvicorn; here: --bind PORT"),
        (["--timeout", "3"], None),
        (["--", "--port"], None),
        (["app:app"], None),
    ],
)
def test_a_flag_that_the_command_has_is_not_answered(arguments: list[str], answer: str | None) -> None:
    assert answer_to(arguments, {"--timeout"}) == answer
