"""Options of plugins on the command line and in `check`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import receive_all

if TYPE_CHECKING:
    from corepool.testing.pools import Pools


def test_one_option_of_a_list_can_be_given_on_the_command_line(pool: Pools) -> None:
    arguments = ("-o", "root=.", "-o", "index=home.html", "-o", "threads=1", "-w", "1")
    running = pool.serve("http", "-b", "tcp://127.0.0.1:0", *arguments, files={"home.html": "home"})

    with running.connect() as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert receive_all(client).endswith(b"home")


def test_check_refuses_text_for_a_number() -> None:
    options = {"root": ".", "threads": "8"}
    toml = '[[listener]]\nname = "a"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "http"\n[listener.options]\n'
    toml += "".join(f"{key} = {json.dumps(value)}\n" for key, value in options.items())
    with PoolProcess.run(toml, wait=False) as refused:
        assert refused.wait() == 2
        assert 'listener[0].options.threads = "8": expected a whole number' in refused.stderr
