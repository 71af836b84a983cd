import os
import signal
import socket
import threading
from asyncio import events

from corepool.config.load import make_draft
from corepool.launch.pool import Pool
from corepool.plugins.registry import Registry
from corepool.worker.rehearsal import rehearse


def state():
    return (
        sorted(os.listdir("/proc/self/fd")),
        [signal.getsignal(signum) for signum in sorted(signal.valid_signals())],
        signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        signal.set_wakeup_fd(-1),
        threading.enumerate(),
        events._get_running_loop(),
    )


heard = []
signal.signal(signal.SIGTERM, lambda *_: heard.append("TERM"))
listeners = [{"name": name, "bind": ["tcp://127.0.0.1:0"], "protocol": "echo"} for name in ("one", "two")]
table = {"pool": {"workers": 1, "dispatcher": "kernel"}, "listener": listeners}
(configuration,) = Pool(make_draft(table, "here", {}).finish(), Registry()).bind()

waiting = socket.create_connection(configuration.bound[0].socket.getsockname())
before = state()
for_forks = []
os.register_at_fork = lambda **functions: for_forks.append(functions)  # they can't be listed, nor taken back
rehearse(configuration)
assert state() == before, (before, state())
assert not for_forks, for_forks

configuration.bound[0].socket.accept()[0].sendall(b"still there")
print(waiting.recv(100).decode())

os.kill(os.getpid(), signal.SIGTERM)
print(heard)
