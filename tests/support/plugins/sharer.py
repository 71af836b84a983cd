"""A protocol whose clients say, line by line, what to do with the counts that workers share."""

import asyncio
import os

from corepool import hookimpl


class Sharer:
    def __init__(self):
        self.churning = 0

    @hookimpl
    def on_worker_start(self, worker):
        self.worker = worker
        self.counter = worker.counter("test")
        self.buckets = worker.buckets("test", rate=0.001, burst=25)
        self.churned = worker.buckets("churned", rate=1_000_000, burst=1_000_000)
        self.semaphores = worker.semaphores("test")
        self.map = worker.map("test", most=400, size=200)

    @hookimpl
    def on_accept(self, conn):
        conn.session = []

    @hookimpl
    def on_readable(self, conn):
        for line in conn.recv().splitlines():
            command, *words = line.decode().split()
            conn.send(f"{getattr(self, command)(conn, *words)}\n".encode())

    @hookimpl
    def on_close(self, conn):
        for hold in conn.session:
            hold.release()

    def stay(self, conn):
        conn.busy = True
        return "stays"

    def pid(self, conn):
        return os.getpid()

    def add(self, conn, amount):
        self.counter.add(int(amount))
        while not self._add_in_map(int(amount)):
            pass
        return "added"

    def _add_in_map(self, amount):
        old = self.map.get("total")
        if old is None:
            return self.map.add("total", str(amount))
        return self.map.replace("total", old, str(int(old) + amount))

    def mapped(self, conn):
        return int(self.map.get("total") or 0)

    def put(self, conn, key, value):
        self.map.put(key, value)
        return "put"

    def look(self, conn, key):
        return (self.map.get(key) or b"nothing").decode()

    def pop(self, conn, key):
        return (self.map.pop(key) or b"nothing").decode()

    def get(self, conn):
        return self.counter.get()

    def take(self, conn, key):
        return "taken" if self.buckets.take(key) else "empty"

    def hold(self, conn, key, limit):
        hold = self.semaphores.acquire(key, int(limit))
        if hold is None:
            return "full"
        conn.session.append(hold)
        return "holds"

    def held(self, conn, key):
        return self.semaphores.held(key)

    def churn(self, conn):
        """Take locks from now on, most of the time."""
        asyncio.get_event_loop().call_soon(self._churn)
        return "churns"

    def _churn(self):
        for number in range(300):
            key = str(number)
            self.churned.take(key)
            self.semaphores.acquire(key).release()
            if number % 7:
                self.map.put(key, f"{key} " * (number % 40), 1000)
            else:
                self.map.pop(f"{number + 1}")
        asyncio.get_event_loop().call_later(0.000_1, self._churn)

    def walk(self, conn):
        """Take every lock there is."""
        for number in range(2000):
            self.churned.take(str(number))
            self.semaphores.held(str(number))
        for key, value in self.map.items():
            words = {*value.split()}
            if key != b"total" and words and words != {key}:
                return f"{key} has {value}"
        return "walked"
