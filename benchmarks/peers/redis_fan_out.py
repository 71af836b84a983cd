"""redis-server, a publisher and four subscribers with redis-py and hiredis: `redis_fan_out PORT FOLDER`.

This process is the publisher. A client on PORT says "COUNT AT_ONCE" or "latency COUNT" in a line, and is answered with
one of JSON, as by corepool's plugin `fan-out`.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from statistics import quantiles
from typing import TextIO

import redis

from benchmarks.peers.stream_server import say_ready

SUBSCRIBERS = 4
TOPIC = "news"
PAUSE_S = 0.002
"""Between two messages whose latency is measured."""


def subscribe(path: str, told: TextIO) -> None:
    """Count messages, and tell what came in lines of JSON, until the process is ended."""
    messages = redis.Redis(unix_socket_path=path).pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    messages.subscribe(TOPIC)
    messages.get_message(timeout=None)  # the answer to the subscription, which is ignored
    print("{}", file=told, flush=True)
    got = 0
    took_ms: list[float] = []
    for message in messages.listen():
        if message["data"] == b"end":
            print(json.dumps({"got": got, "took_ms": took_ms}), file=told, flush=True)
            got = 0
            took_ms = []
            continue
        got += 1
        if message["data"].startswith(b"t"):
            took_ms.append((time.monotonic_ns() - int(message["data"][1:])) / 1e6)


def publish(client: redis.Redis, count: int, at_once: int) -> None:
    """Publish different messages of 100 bytes."""
    if at_once == 1:
        for number in range(count):
            client.publish(TOPIC, b"%0100d" % number)
    else:
        for begin in range(0, count, at_once):
            with client.pipeline(transaction=False) as pipeline:
                for number in range(begin, min(count, begin + at_once)):
                    pipeline.publish(TOPIC, b"%0100d" % number)
                pipeline.execute()
    client.publish(TOPIC, b"end")


def publish_timed(client: redis.Redis, count: int) -> None:
    """Publish the time, with a pause behind each."""
    for _ in range(count):
        client.publish(TOPIC, b"t%099d" % time.monotonic_ns())
        time.sleep(PAUSE_S)
    client.publish(TOPIC, b"end")


def main(port: int, folder: str) -> None:
    """Start all, and serve until the process is ended."""
    path = f"{folder}/redis.sock"
    program = shutil.which("redis-server") or "redis-server"
    # The subscribers read more slowly than the publisher writes: by default, redis cuts them off at 32 MiB.
    limits = ("--client-output-buffer-limit", "pubsub 0 0 0")
    subprocess.Popen([program, "--port", "0", "--unixsocket", path, "--save", "", *limits])  # noqa: S603
    while not os.path.exists(path):  # noqa: PTH110
        time.sleep(0.01)
    client = redis.Redis(unix_socket_path=path)
    client.ping()
    subscribers: list[TextIO] = []
    for _ in range(SUBSCRIBERS):
        reading, writing = os.pipe()
        if os.fork() == 0:
            subscribe(path, os.fdopen(writing, "w"))
            os._exit(1)
        os.close(writing)
        subscribers.append(os.fdopen(reading))

    def told() -> dict[str, float]:
        each = [json.loads(subscriber.readline()) for subscriber in subscribers]
        took_ms = [ms for one in each for ms in one.get("took_ms", ())]
        cuts = quantiles(took_ms, n=100) if took_ms else [0.0] * 99
        return {"got": sum(one.get("got", 0) for one in each), "p50": cuts[49], "p99": cuts[98]}

    told()
    with socket.create_server(("127.0.0.1", port)) as server:
        say_ready()
        while True:
            conn, _ = server.accept()
            with conn, conn.makefile("rb") as lines:
                for line in lines:
                    first, second = line.split()
                    if first == b"latency":
                        publish_timed(client, int(second))
                    else:
                        publish(client, int(first), int(second))
                    conn.sendall(json.dumps(told()).encode() + b"\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
