import os
import resource

from corepool.errors import PeerGoneError
from corepool.ipc.channel import Channel
from corepool.ipc.messages import FrozenConnections


def open_fds():
    return sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1]


ours, theirs = Channel.pair()
sent = [os.dup(0) for _ in range(8)]
ours.send(FrozenConnections(3, (b"record",)), sent)
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
before = open_fds()
assert before == list(range(len(before))), "no number is free below the highest one"
resource.setrlimit(resource.RLIMIT_NOFILE, (len(before) + 4, limits[1]))
try:
    theirs.receive_whole()
except OSError as error:
    print(error.strerror)
resource.setrlimit(resource.RLIMIT_NOFILE, limits)
assert open_fds() == before
message, copies = theirs.receive_whole()
assert message == FrozenConnections(3, (b"record",))
assert [os.path.sameopenfile(*pair) for pair in zip(sent, copies, strict=True)] == [True] * 8
assert not any(map(os.get_inheritable, copies))
assert theirs.receive_whole() is None
ours.close()
try:
    theirs.receive_whole()
except PeerGoneError:
    print("gone")
