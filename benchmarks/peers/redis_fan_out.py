"""redis-server, a publisher and four subscribers with redis-py and hiredis: `redis_fan_out PORT FOLDER`.

This process is the publisher. A client on PORT says "COUNT AT_ONCE" in a line, and is answered with one of JSON, as by
corepool's plugin `fan-out`.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time

import redis

from benchmarks.peers.stream_server import say_ready

SUBSCRIBERS = 4
TOPIC = "news"


def subscribe(path: str, counted: int) -> None:
    """Count messages, until the process is ended."""
    messages = redis.Redis(unix_socket_path=path).pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    messages.subscribe(TOPIC)
    messages.get_message(timeout=None)  # the answer to the subscription, which is ignored
    os.write(counted, b"%020d" % 0)
    got = 0
    for message in messages.listen():
        if message["data"] == b"end":
            os.write(counted, b"%020d" % got)
            got = 0
        else:
            got += 1


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
    counts, counted = os.pipe()
    for _ in range(SUBSCRIBERS):
        if os.fork() == 0:
            subscribe(path, counted)
            os._exit(1)

    def got() -> int:
        return sum(int(os.read(counts, 20)) for _ in range(SUBSCRIBERS))

    got()
    with socket.create_server(("127.0.0.1", port)) as server:
        say_ready()
        while True:
            conn, _ = server.accept()
            with conn, conn.makefile("rb") as lines:
                for line in lines:
                    publish(client, *map(int, line.split()))
                    conn.sendall(json.dumps({"got": got()}).encode() + b"\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
