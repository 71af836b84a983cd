"""The exceptions of handlers: those that a peer has caused end a connection quietly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from corepool.streams.errors import BrokenError, DeadlineError, EndedError, is_the_peers_doing

if TYPE_CHECKING:
    from collections.abc import Callable


class Unknown(Exception):  # noqa: N818
    """Can't be looked at."""

    def __getattribute__(self, name: str) -> Any:
        raise KeyError(name)


def both(*errors: BaseException) -> BaseException:
    return BaseExceptionGroup("both", errors)


@pytest.mark.parametrize(
    ("make", "is_the_peers"),
    [
        (BrokenError, True),
        (BrokenPipeError, False),
        (lambda: both(DeadlineError(), EndedError(b"", 1)), True),
        (lambda: both(DeadlineError(), TimeoutError()), False),
        (lambda: both(DeadlineError(), Unknown()), False),
        (Unknown, False),
    ],
)
def test_each_exception_is_judged_by_its_class(make: Callable[[], BaseException], *, is_the_peers: bool) -> None:
    assert is_the_peers_doing(make()) is is_the_peers
