"""The addresses that a pool shows can be used as they are."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from corepool import Address
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pools import Pools


@pytest.mark.parametrize("bind", ["[::1]", "[::]", "0.0.0.0"])
def test_what_a_pool_suggests_works(pool: Pools, bind: str) -> None:
    running = pool.serve("echo", "-b", f"tcp://{bind}:0", "-w", "1")
    wait_until(lambda: "\n" in running.stdout.partition("try: ")[2], what="the suggestion is printed")
    _, _, example = running.stdout.partition("try: ")

    tried = subprocess.run(example.strip(), shell=True, capture_output=True, check=True)  # noqa: S602  # as users do
    assert tried.stdout == b"hello\n"


def test_a_socket_file_of_any_name_is_served(pool: Pools, tmp_path: Path) -> None:
    path = tmp_path / "a b?#%\udcff.sock"
    url = Address(str(path)).url
    running = pool.serve("echo", "-b", url, "-w", "1")

    assert running.urls() == [url]
    assert path.is_socket()
    with running.connect() as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
