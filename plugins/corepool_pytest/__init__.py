"""The fixtures of `corepool.testing`, in every environment that has corepool and pytest.

A package of its own, since pytest imports it at each start, whatever it tests: it imports nothing of corepool before
a test asks for a fixture. (As a module of corepool it would bring pydantic with it.) No part of a running pool
imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.conversation import Conversations
    from corepool.testing.pools import Pools


@pytest.fixture
def pool() -> Iterator[Pools]:
    """Start real pools: `pool.serve("echo", "-b", "tcp://127.0.0.1:0")`, or `pool(toml)`.

    At the end of the test they are stopped, and exit status, stray processes and the log are checked.
    """
    from corepool.testing.pools import Pools  # noqa: PLC0415 - only for who asks; see above

    with Pools() as pools:
        yield pools


@pytest.fixture
def connection() -> Iterator[Conversations]:
    """Drive a protocol in this process: `client = connection(Shout()); client.send(b"hello")`."""
    from corepool.testing.conversation import Conversations  # noqa: PLC0415

    with Conversations() as conversations:
        yield conversations
