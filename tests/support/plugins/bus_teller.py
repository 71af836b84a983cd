"""A protocol whose clients use the bus of their worker, line by line.

sub TOPIC...        subscribe this connection, and answer when it is active; messages come as `TOPIC DATA LOST`
unsub               end the connection's subscriptions
pub TOPIC DATA      publish, and answer the number of messages that were dropped
burst TOPIC N SIZE  publish N messages of SIZE bytes: their numbers, then filling
hook TOPIC          `worker.subscribe`; `unhook TOPIC`
heard               how many messages the hook has got, and the last one
count TOPIC         `subscribers`
pid                 of the worker
fds                 how many descriptors it has
imported            how many modules of the bus
"""

import os
import sys

from corepool import hookimpl


class Teller:
    counts_requests = True

    @hookimpl
    def on_worker_start(self, worker):
        self.worker = worker
        self.heard = []

    @hookimpl
    def on_message(self, worker, topic, data):
        self.heard.append((topic, data))

    @hookimpl
    def on_accept(self, conn):
        conn.session = Session(self, conn)

    @hookimpl
    def on_readable(self, conn):
        conn.session.received(conn.recv())

    @hookimpl
    def on_close(self, conn, reason):
        conn.session.unsub()


class Session:
    def __init__(self, teller, conn):
        self.teller, self.worker, self.conn = teller, teller.worker, conn
        self.listenings, self.lost, self.rest = [], 0, b""

    def received(self, data):
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            order, *words = line.decode().split(" ")
            answer = getattr(self, order)(*words)
            if answer is not None:
                self.say(answer)

    def say(self, *words):
        self.conn.send(" ".join(map(str, words)).encode() + b"\n")

    def sub(self, *topics):
        prefixes = [each[:-1] for each in topics if each.endswith("*")]
        exact = [each for each in topics if not each.endswith("*")]
        self.conn.busy = True  # it waits for messages: a worker that leaves has to wait for it
        self.listenings.append(self.worker.bus.listen(self.got, exact, prefixes, self.missed))
        self.listenings[-1].when_active(lambda: self.say("subscribed"))

    def got(self, topic, data):
        if not self.conn.closed:
            number = data if len(data) < 100 else f"{data[:20].split(b' ')[0].decode()}+{len(data)}"
            self.say(topic.decode(), number.decode() if isinstance(number, bytes) else number, self.lost)
        self.lost = 0

    def missed(self, count):
        self.lost += count

    def unsub(self):
        while self.listenings:
            self.listenings.pop().close()
        return "unsubscribed"

    def pub(self, topic, data):
        return self.worker.publish(topic, data)

    def burst(self, topic, count, size):
        dropped = 0
        for number in range(int(count)):
            dropped += self.worker.publish(topic, f"{number} ".encode().ljust(int(size), b"."))
        return dropped

    def hook(self, topic):
        self.worker.subscribe(topic)
        return "hooked"

    def unhook(self, topic):
        self.worker.unsubscribe(topic)
        return "unhooked"

    def heard(self):
        heard = self.teller.heard
        return f"{len(heard)} {b' '.join(heard[-1]).decode()}" if heard else "0"

    def count(self, topic):
        return self.worker.bus.subscribers(topic)

    def pid(self):
        return os.getpid()

    def imported(self):
        return sum(name.startswith("corepool.worker.bus_") for name in sys.modules) - 1  # and not bus_use

    def fds(self):
        return len(os.listdir("/proc/self/fd"))
