"""Rows of containers for administrators, and the types of all rows of containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.commands import acl, connection, empty, functions, latency, slow
from corepool_kv.redis.entry import Command
from corepool_kv.redis.subcommand_flags import flags_of

if TYPE_CHECKING:
    from corepool_kv.redis.commands.scripting import Scripting
    from corepool_kv.redis.entry import OnBoth, OnData, OnSession

    Row = tuple[str, str, OnSession, int, str, str]
    """Name and syntax, handler, arity with the container's name, since, summary."""
    DataRow = tuple[str, str, OnData, int, str, str]
    """The same, of a command that reads a key."""
    WriteRow = tuple[str, str, OnBoth, int, str, str]
    """The same, of a command that changes what the store keeps."""

ACL: tuple[Row, ...] = (
    ("GETUSER", "<username>", acl.getuser, 3, "6.0.0", "Return the user's details."),
    ("LIST", "", acl.list_, 2, "6.0.0", "Return the users as lines of a configuration."),
    ("USERS", "", acl.users, 2, "6.0.0", "Return the names of the users, of whom there is one."),
    ("WHOAMI", "", connection.whoami, 2, "6.0.0", "Return the name of the user, of whom there is one."),
)
FUNCTION: tuple[Row, ...] = (
    ("KILL", "", empty.not_busy, 2, "7.0.0", "Kill the function that is running: none runs when this is asked."),
)
FUNCTION_READS = tuple(
    Command(
        f"function|{name.lower()}".encode(),
        arity,
        flags_of("function", name.lower()),
        (0, 0, 0),
        "scripting",
        "7.0.0",
        summary,
        on_both=handler,
        syntax=f"{name} {syntax}".rstrip(),
    )
    for name, syntax, arity, handler, summary in (
        (
            "LIST",
            "[LIBRARYNAME <pattern>] [WITHCODE]",
            -2,
            functions.list_,
            "Return the libraries and their functions.",
        ),
        ("DUMP", "", 2, functions.dump, "Return all libraries, as FUNCTION RESTORE takes them."),
        ("STATS", "", 2, functions.stats, "Return the function that is running, and the engines."),
    )
)


def function_rows(scripting: Scripting) -> tuple[WriteRow, ...]:
    of_libraries = functions.Functions(scripting)
    return (
        ("DELETE", "<library name>", functions.delete, 3, "7.0.0", "Delete a library, in all workers."),
        ("FLUSH", "[ASYNC|SYNC]", functions.flush, -2, "7.0.0", "Delete all libraries, in all workers."),
        ("LOAD", "[REPLACE] <code>", of_libraries.load, -3, "7.0.0", "Keep a library of functions, in all workers."),
        (
            "RESTORE",
            "<serialized-value> [FLUSH|APPEND|REPLACE]",
            of_libraries.restore,
            -3,
            "7.0.0",
            "Keep the libraries of FUNCTION DUMP, in all workers.",
        ),
    )


LATENCY: tuple[Row, ...] = (
    ("DOCTOR", "", latency.doctor, 2, "2.8.13", "Return a report on latencies: none are sampled."),
    ("GRAPH", "<event>", latency.graph, 3, "2.8.13", "Return a graph of an event's latencies: none are sampled."),
    (
        "HISTOGRAM",
        "[<command> ...]",
        latency.histogram,
        -2,
        "7.0.0",
        "Return distributions of latencies: none are kept.",
    ),
    ("HISTORY", "<event>", empty.nothing, 3, "2.8.13", "Return the latencies of an event: none are sampled."),
    ("LATEST", "", empty.nothing, 2, "2.8.13", "Return the latest latencies: none are sampled."),
    ("RESET", "[<event> ...]", empty.zero, -2, "2.8.13", "Reset the latencies of events: none are sampled."),
)
SLOWLOG_READS = tuple(
    Command(
        f"slowlog|{name.lower()}".encode(),
        arity,
        flags_of("slowlog", name.lower()),
        (0, 0, 0),
        "server",
        "2.2.12",
        summary,
        on_both=handler,
        syntax=syntax,
    )
    for name, syntax, arity, handler, summary in (
        ("GET", "GET [<count>]", -2, slow.get, "Return the slow commands, the latest first."),
        ("LEN", "LEN", 2, slow.length, "Return the number of slow commands."),
    )
)
SLOWLOG_CHANGES: tuple[WriteRow, ...] = (
    ("RESET", "", slow.reset, 2, "2.2.12", "Forget the slow commands of all workers."),
)
