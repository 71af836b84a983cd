"""INFO: the fields of Redis that have a true value here, of the worker that serves the connection.

A field that is not counted is not there. CPU and resident memory are those of the worker's process; `used_memory` is
the size of the data, which the workers share.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from corepool_kv.engine.room import used_bytes
from corepool_kv.redis.pubsub import CHANNEL, PATTERN, SHARD
from corepool_kv.redis.replies import Verbatim
from corepool_kv.redis.scripts import library
from corepool_kv.stores import DATABASES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

    Fields = Mapping[str, object]

_DAY_S = 86_400
_UNITS = ((1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))


def info(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:
    wanted = {arg.decode(errors="replace").lower() for arg in args} or {"default"}
    if wanted & {"all", "default", "everything"}:
        wanted |= {name for name, _ in _SECTIONS}
    texts = []
    for name, section in _SECTIONS:
        if name.lower() in wanted or name in wanted:
            fields = section(server, session, db)
            texts.append("".join([f"# {name}\r\n", *(f"{key}:{value}\r\n" for key, value in fields.items())]))
    return Verbatim("\r\n".join(texts))


def _server(server: ServerState, session: Session, db: Keyspace) -> Fields:
    system = platform.uname()
    uptime_s = int(time.monotonic() - server.began_s)
    return {
        "redis_version": server.redis_version,
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_mode": "standalone",
        "os": f"{system.system} {system.release} {system.machine}",
        "arch_bits": 64 if sys.maxsize > 1 << 32 else 32,
        "monotonic_clock": "POSIX clock_gettime",
        "multiplexing_api": "epoll",
        "process_id": server.pid,
        "process_supervised": "no",
        "run_id": server.run_id,
        "tcp_port": session.conn.local.port or 0,
        "server_time_usec": time.time_ns() // 1000,
        "uptime_in_seconds": uptime_s,
        "uptime_in_days": uptime_s // _DAY_S,
        "hz": 10,
        "configured_hz": 10,
        "lru_clock": db.now_ms // 1000 & 0xFFFFFF,
        "executable": sys.executable,
        "config_file": "",
        "io_threads_active": 0,
        "worker_slot": server.slot,
    }


def _clients(server: ServerState, session: Session, db: Keyspace) -> Fields:  # noqa: ARG001
    return {
        "connected_clients": len(server.sessions),
        "cluster_connections": 0,
        "maxclients": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "blocked_clients": server.blocking.count,
        "tracking_clients": 0,
        "clients_in_timeout_table": 0,
    }


def _memory(server: ServerState, session: Session, db: Keyspace) -> Fields:  # noqa: ARG001
    used = used_bytes(db)
    peak = max(used, server.room.peak_bytes)
    system = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    sizes = {"used_memory": used, "used_memory_rss": _resident_bytes(), "used_memory_peak": peak}
    sizes |= {"total_system_memory": system, "maxmemory": int(server.parameters["maxmemory"])}
    fields: dict[str, object] = {}
    for name, size in sizes.items():
        fields[name] = size
        fields[f"{name}_human"] = _for_people(size)
    return fields | {
        "used_memory_peak_perc": f"{100 * used / max(1, peak):.2f}%",
        "used_memory_lua": 0 if server.scripts is None else server.scripts.used_bytes,
        "used_memory_scripts": 0,
        "number_of_cached_scripts": library.count(db),
        "number_of_functions": 0,
        "number_of_libraries": 0,
        "maxmemory_policy": server.room.policy,
        "mem_fragmentation_ratio": "1.00",
        "mem_allocator": "libc",
        "active_defrag_running": 0,
        "lazyfree_pending_objects": 0,
        "lazyfreed_objects": 0,
    }


def _persistence(server: ServerState, session: Session, db: Keyspace) -> Fields:  # noqa: ARG001
    return {
        "loading": 0,
        "async_loading": 0,
        "rdb_bgsave_in_progress": 0,
        "rdb_saves": 0,
        "aof_enabled": 0,
        "aof_rewrite_in_progress": 0,
        "aof_rewrite_scheduled": 0,
        "aof_rewrites": 0,
        "aof_last_write_status": "err" if server.store_has_failed else "ok",
        "module_fork_in_progress": 0,
    }


def _stats(server: ServerState, session: Session, db: Keyspace) -> Fields:  # noqa: ARG001
    fields: dict[str, object] = {
        "total_connections_received": server.connections,
        "total_commands_processed": server.commands_run,
        "instantaneous_ops_per_sec": server.commands_per_s,
        "expired_keys": server.expired_keys,
        "evicted_keys": server.evicted_keys,
        "total_error_replies": sum(server.errors.values()),
    }
    never = "rejected_connections sync_full sync_partial_ok sync_partial_err evicted_clients"
    never += " latest_fork_usec total_forks"
    never += " migrate_cached_sockets slave_expires_tracked_keys tracking_total_keys tracking_total_items"
    never += " tracking_total_prefixes dump_payload_sanitizations io_threaded_reads_processed"
    never += " io_threaded_writes_processed"
    if server.pubsub.is_ready:  # else this worker has not asked the others, and a 0 would be a guess
        fields["pubsub_channels"] = len(server.pubsub.names(CHANNEL))
        fields["pubsub_patterns"] = len(server.pubsub.names(PATTERN))
        fields["pubsubshard_channels"] = len(server.pubsub.names(SHARD))
    return fields | dict.fromkeys(never.split(), 0)


def _replication(server: ServerState, session: Session, db: Keyspace) -> Fields:  # noqa: ARG001
    return {
        "role": "master",
        "connected_slaves": 0,
        "master_failover_state": "no-failover",
        "master_replid": server.run_id,
        "master_replid2": "0" * 40,
        "master_repl_offset": 0,
        "second_repl_offset": -1,
        "repl_backlog_active": 0,
        "repl_backlog_size": 0,
        "repl_backlog_first_byte_offset": 0,
        "repl_backlog_histlen": 0,
    }


def _cpu(server: ServerState, session: Session, db: Keyspace) -> Fields:  # noqa: ARG001
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    thread = resource.getrusage(resource.RUSAGE_THREAD)
    return {
        "used_cpu_sys": f"{own.ru_stime:.6f}",
        "used_cpu_user": f"{own.ru_utime:.6f}",
        "used_cpu_sys_children": f"{children.ru_stime:.6f}",
        "used_cpu_user_children": f"{children.ru_utime:.6f}",
        "used_cpu_sys_main_thread": f"{thread.ru_stime:.6f}",
        "used_cpu_user_main_thread": f"{thread.ru_utime:.6f}",
    }


def _modules(server: ServerState, session: Session, db: Keyspace) -> Fields:  # noqa: ARG001
    return {}


def _errorstats(server: ServerState, session: Session, db: Keyspace) -> Fields:  # noqa: ARG001
    return {f"errorstat_{name}": f"count={count}" for name, count in sorted(server.errors.items())}


def _cluster(server: ServerState, session: Session, db: Keyspace) -> Fields:  # noqa: ARG001
    return {"cluster_enabled": 0}


def _keyspace(server: ServerState, session: Session, db: Keyspace) -> Fields:  # noqa: ARG001
    views = {f"db{number}": db.select(number).view for number in range(DATABASES)}
    return {
        name: f"keys={count},expires={view.count_expiring()},avg_ttl=0"
        for name, view in views.items()
        if (count := view.count())
    }


_SECTIONS: tuple[tuple[str, Callable[[ServerState, Session, Keyspace], Fields]], ...] = (
    ("Server", _server),
    ("Clients", _clients),
    ("Memory", _memory),
    ("Persistence", _persistence),
    ("Stats", _stats),
    ("Replication", _replication),
    ("CPU", _cpu),
    ("Modules", _modules),
    ("Errorstats", _errorstats),
    ("Cluster", _cluster),
    ("Keyspace", _keyspace),
)
"""In Redis's order."""


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _for_people(size: int) -> str:
    for unit, letter in _UNITS:
        if size >= unit:
            return f"{size / unit:.2f}{letter}"
    return f"{size}B"
