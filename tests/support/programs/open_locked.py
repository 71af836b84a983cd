import fcntl
import multiprocessing
import pathlib

from corepool.testing.waiting import wait_until
from corepool_syslog.store import Store

path = pathlib.Path("syslog.db")
fork = multiprocessing.get_context("fork")


def waits():
    # proc_locks(5): "1: -> FLOCK ADVISORY WRITE PID ..." is a process that waits for the lock of that number.
    locks = [line.split() for line in open("/proc/locks")]
    return any(words[1:3] == ["->", "FLOCK"] and str(second.pid) in words for words in locks)


with path.with_name("syslog.db.lock").open("w") as first:
    fcntl.flock(first, fcntl.LOCK_EX)
    second = fork.Process(target=lambda: Store(path).close())
    second.start()
    wait_until(lambda: waits() or not second.is_alive())
    assert second.is_alive(), f"it has not waited, and ended with {second.exitcode}"
    assert not path.exists(), "it has begun"
    # That of the child is a copy of ours: closing would not be enough.
    fcntl.flock(first, fcntl.LOCK_UN)
second.join(60)
assert second.exitcode == 0
assert path.exists()
