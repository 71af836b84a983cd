"""The advice of errors exists; the first commands of clients and monitoring have an answer; INFO has Redis's fields."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from kv_client import Client, encode

from corepool.testing.sockets import connect
from corepool_kv.redis.table import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Pair

CONTAINERS = [each for each in COMMANDS.values() if each.subcommands]
SOURCES = Path(__file__).parents[3] / "plugins" / "corepool_kv"


@pytest.fixture
def client(pair: Pair) -> Iterator[Client]:
    with connect(pair.ours.urls()[0]) as sock:
        yield Client(sock)


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda each: each.name.decode())
def test_an_error_advises_help_and_help_lists_what_there_is(client: Client, container: Any) -> None:
    name = container.name.decode().upper()
    advice = re.fullmatch(r"ERR unknown subcommand 'NOTHING'\. Try (\w+) HELP\.", str(client(name, "NOTHING")))
    assert advice
    lines = client(advice[1], "HELP")

    assert lines[0].decode() == f"{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    listed = {line.split()[0].lower() for line in lines[1:] if line[:1] not in b" ("}
    assert listed == set(container.subcommands)
    for word in listed:
        described = client("COMMAND", "INFO", f"{name}|{word.decode()}")[0]
        assert described[0] == f"{name.lower()}|{word.decode()}".encode()
        reply = str(client(name, word, *["x"] * 20))
        assert "unknown subcommand '" not in reply


def test_every_advice_in_the_sources_is_tried_above() -> None:
    texts = "".join(path.read_text() for path in SOURCES.rglob("*.py"))

    assert len(re.findall(r"\bTry \{", texts)) == 1
    advised = set(re.findall(r"\bTry ([A-Z]+)", texts)) - {"DEBUG"}  # it has no table of subcommands
    assert advised <= {each.name.decode().upper() for each in CONTAINERS}


SAME = [
    *("CLIENT", "CLIENT GETNAME x", "CLIENT SETNAME", "CLIENT NOTHING", "CLIENT HELP x", "CLIENT NO-EVICT maybe"),
    *("CLIENT LIST TYPE foo", "CLIENT LIST ID x", "CLIENT LIST FOO", "CLIENT LIST TYPE pubsub", "CLIENT GETREDIR"),
    *("CLIENT KILL 127.0.0.1:1", "CLIENT KILL ID 0", "CLIENT KILL ID x", "CLIENT KILL TYPE foo", "CLIENT KILL FOO x"),
    *("CLIENT KILL USER foo", "CLIENT KILL SKIPME maybe", "CLIENT KILL ADDR 127.0.0.1:1", "CLIENT KILL ADDR x LADDR"),
    *("CLIENT KILL", "CLIENT KILL ID 9 TYPE master", "CLIENT KILL TYPE pubsub"),
    *("CLIENT TRACKINGINFO", "CLIENT NO-EVICT on", "client setname me", "cLiEnT gEtNaMe"),
    *(
        "COMMAND COUNT x",
        "COMMAND NOTHING",
        "COMMAND GETKEYS MSET a 1 b 2",
        "COMMAND GETKEYS GET a",
        "COMMAND INFO foo",
    ),
    *(
        "COMMAND GETKEYS FOO a",
        "COMMAND GETKEYS PING a",
        "COMMAND GETKEYS GET a b",
        "COMMAND LIST FOO",
        "COMMAND GETKEYS",
    ),
    *("CONFIG", "CONFIG GET", "CONFIG GET maxmemory", "CONFIG GET nothing", "CONFIG RESETSTAT", "CONFIG RESETSTAT x"),
    *("CONFIG SET", "CONFIG SET hz", "CONFIG SET foo bar", "CONFIG SET hz 10 foo 3", "CONFIG SET a b c"),
    *("CONFIG SET appendonly no", "CONFIG SET hz 10 hz 10", "MULTI\nCONFIG SET hz 10\nCONFIG SET foo 1\nEXEC"),
    *("SCRIPT EXISTS a b", "SCRIPT FLUSH", "SCRIPT FLUSH SYNC", "SCRIPT FLUSH x", "SCRIPT KILL", "SCRIPT EXISTS"),
    *("FUNCTION LIST", "FUNCTION LIST WITHCODE", "FUNCTION LIST LIBRARYNAME *", "FUNCTION LIST FOO", "FUNCTION FLUSH"),
    *("FUNCTION FLUSH ASYNC", "FUNCTION FLUSH x", "FUNCTION DELETE x", "FUNCTION KILL", "FUNCTION LIST LIBRARYNAME"),
    *(
        "SLOWLOG RESET\nSLOWLOG GET",
        "SLOWLOG RESET\nSLOWLOG GET 10\nSLOWLOG LEN",
        "SLOWLOG RESET",
        "LATENCY LATEST",
        "LATENCY HISTORY x",
    ),
    *(
        "LATENCY RESET",
        "MODULE LIST",
        "ROLE",
        "INFO nothing",
        "INFO cluster",
        "INFO modules",
        "SELECT 0",
        "ACL",
        "FOO HELP",
    ),
    *(
        "MULTI",
        "MULTI\nCLIENT NOTHING\nEXEC",
        "MULTI\nCLIENT GETNAME\nSCRIPT EXISTS a\nEXEC",
        "MULTI\nCLIENT SETNAME\nEXEC",
    ),
    *("ACL CAT", "ACL CAT x", "ACL LIST", "ACL USERS", "ACL GETUSER default", "ACL GETUSER x"),
    *("HELLO 3\nACL GETUSER default", "SWAPDB a 1", "SWAPDB 1 b", "SWAPDB 1 99", "SWAPDB 3 3", "SWAPDB 0"),
    *("LATENCY GRAPH x", "LATENCY HISTOGRAM nosuch", "LATENCY RESET x", "DEBUG OBJECT a", "DEBUG HELP", "MONITOR x"),
    *(
        "CLIENT PAUSE x",
        "CLIENT PAUSE -1",
        "CLIENT PAUSE 1 x",
        "CLIENT PAUSE 0",
        "CLIENT UNPAUSE",
        "CLIENT CACHING yes",
    ),
    *("CLIENT REPLY x", "CLIENT REPLY OFF\nPING\nCLIENT REPLY ON\nPING", "CLIENT REPLY SKIP\nPING\nPING"),
    *("CLIENT REPLY SKIP\nCLIENT REPLY SKIP\nPING\nPING", "CLIENT REPLY OFF\nSET a 1\nGET a\nRESET\nPING"),
    *("CLIENT REPLY SKIP\nSET a 1\nGET a", "CLIENT REPLY OFF\nFOO\nSET a\nCLIENT REPLY SKIP\nPING\nQUIT"),
    *("CLIENT REPLY OFF\nMULTI\nSET a 1\nEXEC\nCLIENT REPLY ON\nGET a", "SLOWLOG GET -2", "SLOWLOG GET x"),
    *("MULTI\nMONITOR\nEXEC", "FUNCTION STATS", "HELLO 3\nFUNCTION STATS", "FCALL x 0", "FCALL_RO x 0 a"),
    *("RESET", "QUIT", "QUIT x", "HELLO 3\nCLIENT TRACKINGINFO\nSCRIPT EXISTS a\nCONFIG GET maxmemory\nFUNCTION LIST"),
    "HELLO 2 SETNAME x\nCLIENT GETNAME",
]


@pytest.mark.parametrize("lines", SAME)
def test_subcommands_are_answered_as_by_redis(pair: Pair, lines: str) -> None:
    expected, got = (
        re.sub(rb"(\$2\r\nid\r\n):\d+", rb"\1:1", reply)
        for reply in pair.ask("".join(f"{line}\r\n" for line in lines.split("\n")).encode())
    )
    assert got == expected


def test_info_has_the_sections_and_the_fields_of_redis(pair: Pair) -> None:
    pair.ask(b"SET info 1\r\nINCR info\r\nFOO\r\n")
    for name in ("", "all", "everything", "default", "server", "SERVER", "clients memory", "keyspace cpu server"):
        expected, got = (parse_info(reply) for reply in pair.ask(f"INFO {name}\r\n".encode()))
        assert [section for section in expected if section in got] == list(got), name
        assert set(expected) - set(got) <= {"Commandstats", "Latencystats", "Debug"}
        for section, fields in got.items():
            extra = set(fields) - set(expected[section]) - {"worker_slot"}
            assert not extra or section in ("Errorstats", "Memory", "Keyspace"), (section, extra)


def parse_info(reply: bytes) -> dict[str, dict[str, str]]:
    sections: dict[str, dict[str, str]] = {}
    for line in reply.decode().splitlines()[1:]:
        if line.startswith("# "):
            sections[line[2:]] = {}
        elif line:
            name, _, value = line.partition(":")
            sections[list(sections)[-1]][name] = value
    return sections


def test_info_tells_the_truth(client: Client, pair: Pair) -> None:
    client("CONFIG", "RESETSTAT")
    client("FOO")
    client("SET", "number", "x")
    client("INCR", "number")
    with connect(pair.ours.urls()[0]):
        info = parse_info(b"\n" + client("INFO"))

    assert info["Server"]["arch_bits"] in ("32", "64")
    assert info["Server"]["tcp_port"] == str(urlsplit(pair.ours.urls()[0]).port)
    assert re.fullmatch("[0-9a-f]{40}", info["Server"]["run_id"])
    assert int(info["Clients"]["connected_clients"]) >= 1
    assert int(info["Memory"]["used_memory_rss"]) > 1_000_000
    assert 0 < int(info["Memory"]["used_memory"]) <= int(info["Memory"]["used_memory_peak"])
    assert int(info["Stats"]["total_error_replies"]) == 2
    assert info["Errorstats"] == {"errorstat_ERR": "count=2"}
    assert int(info["Stats"]["total_commands_processed"]) >= 3
    assert info["Persistence"]["loading"] == "0"
    assert info["Persistence"]["aof_last_write_status"] == "ok"


def test_redis_cli_has_its_statistics(pair: Pair) -> None:
    port = str(urlsplit(pair.ours.urls()[0]).port)
    command = ["redis-cli", "-p", port, "-i", "0.01", "--stat"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.terminate()
    assert "keys" in lines[1]
    assert re.match(r"\d+ +[0-9.]+[KMG]", lines[2])


def test_subcommands_wait_their_turn_in_a_transaction(client: Client) -> None:
    client.sock.sendall(encode(("MULTI",)) + encode(("CONFIG", "GET", "databases")) + encode(("EXEC",)))
    assert [client.receive() for _ in range(3)] == [b"OK", b"QUEUED", [[b"databases", b"16"]]]
