"""Arguments that are no number and no kind: said in the words of this project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Corepool


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("scale", "x"), "expected a whole number, not 'x'"),
        (("scale", "1.5"), "expected a whole number, not '1.5'"),
        (("scale", "9" * 30), "expected a whole number, not '9999"),
        (
            ("new", "a", "--kind", "protocoll"),
            "no kind 'protocoll' (did you mean 'protocol'?); kinds: protocol, dispat",
        ),
        (("top", "--interval", "often"), "expected 0.1 to 60 seconds, not 'often'"),
        (("top", "--interval", "0"), "expected 0.1 to 60 seconds, not '0'"),
        (("top", "--interval", "nan"), "expected 0.1 to 60 seconds, not 'nan'"),
    ],
)
def test_an_unreadable_argument_is_answered_with_the_expected_form(
    corepool: Corepool, arguments: tuple[str, ...], sentence: str
) -> None:
    done = corepool(*arguments)

    assert done.returncode == 2
    assert sentence in done.stderr
    assert [words for words in ("Input should", "Value error") if words in done.stderr] == []


def test_kinds_are_in_the_help(corepool: Corepool) -> None:
    assert "protocol, dispatcher, transport, extension, scaler" in " ".join(corepool("new", "--help").stdout.split())


def test_a_control_socket_that_can_not_be_queried_says_which(corepool: Corepool) -> None:
    done = corepool("status", "--control", "x" * 200)

    assert done.stderr.startswith("corepool: can't query the pool at xxx")
