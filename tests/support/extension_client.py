"""Clients of a pool whose extensions may refuse them, and a protocol that tells what it has seen."""

from __future__ import annotations

import socket
import uuid
from urllib.parse import urlsplit

from sources import metadata, source

from corepool.testing.sockets import connect, receive_exactly
from corepool.testing.waiting import DEADLINE_S

WITNESS = source("plugins/witness.py")


def witness_files() -> dict[str, str]:
    """Return the files of the protocol `witness`, which echoes and writes what it sees to seen.txt."""
    return plugin_files("witness", "Witness", WITNESS)


def plugin_files(name: str, class_name: str, source: str) -> dict[str, str]:
    """Return the files of a protocol as an installer would lay them."""
    return {
        f"{name}.py": source,
        **metadata(name, f"[corepool.protocols]\n{name} = {name}:{class_name}\n"),
    }


def config(
    *extensions: str,
    protocol: str = "echo",
    workers: int = 1,
    bind: str = "tcp://127.0.0.1:0",
    listener: str = "",
    more: str = "",
) -> str:
    """Return a configuration: each of `extensions` is a name and, in lines below it, its options."""
    names = [each.partition("\n")[0] for each in extensions]
    tables = []
    for each in extensions:
        name, _, options = each.partition("\n")
        if options:
            tables.append(f"[listener.extension_options.{name}]\n{options}")
    return "\n".join(
        [
            f"[pool]\nworkers = {workers}",
            f'[[listener]]\nname = "front"\nbind = ["{bind}"]\nprotocol = "{protocol}"\nextensions = {names}',
            listener,
            *tables,
            more,
        ]
    )


def connect_from(url: str, source: str) -> socket.socket:
    """Connect from a loopback address of our choice: all of 127.0.0.0/8 is this machine."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), DEADLINE_S, source_address=(source, 0))


def is_served(client: socket.socket) -> bool:
    """Send a line and wait for the echo; return False when the connection was ended instead."""
    try:
        client.sendall(b"hello\n")
        return receive_exactly(client, 6) == b"hello\n"
    except (ConnectionResetError, BrokenPipeError):
        return False


def unix_url() -> str:
    """Make up a name in the abstract namespace, which leaves no file behind."""
    return f"unix:@corepool-{uuid.uuid4().hex}"


def serves(url: str, source: str = "") -> bool:
    """Return whether one more connection is served; it is closed again."""
    with connect_from(url, source) if source else connect(url) as client:
        return is_served(client)
