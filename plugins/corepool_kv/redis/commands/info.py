"""INFO: the fields of Redis that have a true value here, over all workers of the pool and all listeners of the store.

A field that is not counted is not there. Those of a worker, as its process ID, are of that which serves the client.
`used_memory` is the size of the data, which the workers share; `used_memory_rss` is that of the workers.
"""

from __future__ import annotations

import os
import platform
import random
import resource
import sys
import time
from typing import TYPE_CHECKING

from corepool_kv.engine.room import used_bytes
from corepool_kv.redis.pubsub import CHANNEL, PATTERN, SHARD
from corepool_kv.redis.replies import Verbatim
from corepool_kv.redis.scripts import library
from corepool_kv.redis.scripts.functions import Libraries
from corepool_kv.stores import DATABASES, DamagedRecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState
    from corepool_kv.stores import View

    Fields = Mapping[str, object]

_DAY_S = 86_400
_TTL_TRIES, _TTL_SAMPLES = 100, 20
_UNITS = ((1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))


def info(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:
    server.share()
    wanted = {arg.decode(errors="replace").lower() for arg in args} or {"default"}
    if wanted & {"all", "default", "everything"}:
        wanted |= {name.lower() for name, _ in _SECTIONS}
    texts = []
    for name, section in _SECTIONS:
        if name.lower() in wanted:
            fields = section(server, session, db)
            texts.append("".join([f"# {name}\r\n", *(f"{key}:{value}\r\n" for key, value in fields.items())]))
    return Verbatim("\r\n".join(texts))


def _server(server: ServerState, session: Session, db: Keyspace) -> Fields:
    system = platform.uname()
    uptime_s = server.statistics.uptime_s()
    return {
        "redis_version": server.redis_version,
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_build_id": server.run_id[:16],
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
    present = server.statistics.present()
    return {
        "connected_clients": present.clients,
        "cluster_connections": 0,
        "maxclients": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "blocked_clients": present.blocked,
        "tracking_clients": 0,
        "clients_in_timeout_table": 0,
    }


def _memory(server: ServerState, session: Session, db: Keyspace) -> Fields:  # noqa: ARG001
    used = used_bytes(db)
    peak = max(used, server.room.peak_bytes)
    processes = server.statistics.processes()
    system = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    sizes = {"used_memory": used, "used_memory_rss": processes.resident, "used_memory_peak": peak}
    sizes |= {"total_system_memory": system, "used_memory_lua": processes.scripts}
    sizes |= {"maxmemory": int(server.parameters["maxmemory"])}
    fields: dict[str, object] = {}
    for name, size in sizes.items():
        fields[name] = size
        fields[f"{name}_human"] = _for_people(size)
    libraries = Libraries(db)
    return fields | {
        "used_memory_peak_perc": f"{100 * used / max(1, peak):.2f}%",
        "used_memory_scripts": 0,
        "number_of_cached_scripts": library.count(db),
        "number_of_functions": libraries.functions,
        "number_of_libraries": len(libraries.all),
        "maxmemory_policy": server.room.policy,
        "mem_fragmentation_ratio": "1.00",
        "mem_not_counted_for_evict": 0,
        "mem_clients_slaves": 0,
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
        "rdb_last_bgsave_status": "ok",
        "rdb_last_bgsave_time_sec": -1,
        "rdb_current_bgsave_time_sec": -1,
        "rdb_saves": 0,
        "rdb_last_cow_size": 0,
        "aof_enabled": 0,
        "aof_rewrite_in_progress": 0,
        "aof_rewrite_scheduled": 0,
        "aof_last_rewrite_time_sec": -1,
        "aof_current_rewrite_time_sec": -1,
        "aof_last_bgrewrite_status": "ok",
        "aof_rewrites": 0,
        "aof_last_write_status": "err" if server.store_has_failed else "ok",
        "aof_last_cow_size": 0,
        "module_fork_in_progress": 0,
        "module_fork_last_cow_size": 0,
    }


def _stats(server: ServerState, session: Session, db: Keyspace) -> Fields:  # noqa: ARG001
    totals, present = server.statistics.totals(), server.statistics.present()
    fields: dict[str, object] = {
        "total_connections_received": totals.connections,
        "total_commands_processed": totals.commands,
        "instantaneous_ops_per_sec": present.commands_per_s,
        "total_net_input_bytes": totals.bytes_in,
        "total_net_output_bytes": totals.bytes_out,
        "total_net_repl_input_bytes": 0,
        "total_net_repl_output_bytes": 0,
        "instantaneous_input_kbps": f"{present.bytes_in_per_s / 1024:.2f}",
        "instantaneous_output_kbps": f"{present.bytes_out_per_s / 1024:.2f}",
        "expired_keys": totals.expired,
        "evicted_keys": totals.evicted,
        "keyspace_hits": totals.hits,
        "keyspace_misses": totals.misses,
        "total_error_replies": totals.errors,
    }
    never = "rejected_connections sync_full sync_partial_ok sync_partial_err evicted_clients"
    never += " latest_fork_usec total_forks"
    never += " expired_time_cap_reached_count active_defrag_hits active_defrag_misses"
    never += " active_defrag_key_hits active_defrag_key_misses"
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
    system_s, user_s = server.statistics.cpu_s()
    return {
        "used_cpu_sys": f"{system_s:.6f}",
        "used_cpu_user": f"{user_s:.6f}",
        "used_cpu_sys_children": "0.000000",
        "used_cpu_user_children": "0.000000",
    }


def _modules(server: ServerState, session: Session, db: Keyspace) -> Fields:  # noqa: ARG001
    return {}


def _errorstats(server: ServerState, session: Session, db: Keyspace) -> Fields:  # noqa: ARG001
    return {f"errorstat_{name}": f"count={count}" for name, count in server.statistics.error_totals().items()}


def _cluster(server: ServerState, session: Session, db: Keyspace) -> Fields:  # noqa: ARG001
    return {"cluster_enabled": 0}


def _keyspace(server: ServerState, session: Session, db: Keyspace) -> Fields:  # noqa: ARG001
    views = {f"db{number}": db.select(number).view for number in range(DATABASES)}
    return {
        name: f"keys={count},expires={expires},avg_ttl={_average_ttl_ms(view, db.now_ms) if expires else 0}"
        for name, view in views.items()
        if (count := view.count()) and (expires := view.count_expiring()) >= 0
    }


def _average_ttl_ms(view: View, now_ms: int) -> int:
    """Estimate it from some keys, chosen at random."""
    left: list[int] = []
    for _ in range(_TTL_TRIES):
        key = view.random(random.random())  # noqa: S311  # no secret
        try:
            record = None if key is None else view.get(key)
        except DamagedRecordError:
            continue
        if record is not None and record.expires_ms > now_ms:
            left.append(record.expires_ms - now_ms)
            if len(left) == _TTL_SAMPLES:
                break
    return sum(left) // max(1, len(left))


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


def _for_people(size: int) -> str:
    for unit, letter in _UNITS:
        if size >= unit:
            return f"{size / unit:.2f}{letter}"
    return f"{size}B"
