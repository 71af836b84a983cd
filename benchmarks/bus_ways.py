"""Ways for messages between two processes, in CPU time of both: why the bus has packets, and no rings.

    python -m benchmarks.bus_ways

A publisher sends messages of 100 bytes, one or eight at a time, and waits for a byte after every 64, so that the reader
keeps up. The ring is the cheapest that there can be in Python: one writer, one reader, and no word about its death.
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGES = 64_000
BURST = 64
RECORD = struct.pack("=BBHI", 0, 0, 4, 100) + b"news" + bytes(100)
RING_BYTES = 2**20


def measured(publish: Callable[[int], None], receive: Callable[[], int], at_a_time: int) -> tuple[float, float]:
    """Return the CPU time of publisher and reader for a message, in microseconds.

    :param publish: sends so many messages at once.
    :param receive: waits for some, and returns how many.
    """
    ours, theirs = socket.socketpair()
    reader = os.fork()
    if reader == 0:
        began = time.process_time()
        for _ in range(MESSAGES // BURST):
            left = BURST
            while left:
                left -= receive()
            theirs.send(b"x")
        theirs.send(struct.pack("d", time.process_time() - began))
        os._exit(0)
    began = time.process_time()
    for _ in range(MESSAGES // BURST):
        for _ in range(BURST // at_a_time):
            publish(at_a_time)
        ours.recv(1)
    mine = time.process_time() - began
    (its,) = struct.unpack("d", ours.recv(8, socket.MSG_WAITALL))
    os.waitpid(reader, 0)
    return mine / MESSAGES * 1e6, its / MESSAGES * 1e6


def by_socket(kind: socket.SocketKind, at_a_time: int) -> tuple[float, float]:
    """Measure packets of a pair of sockets."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    packet = RECORD * at_a_time

    def publish(count: int) -> None:  # noqa: ARG001
        ours.send(packet)

    return measured(publish, lambda: len(theirs.recv(65_536)) // len(RECORD), at_a_time)


def by_ring(at_a_time: int) -> tuple[float, float]:
    """Measure a ring in shared memory, whose reader is woken by an eventfd."""
    area = memoryview(mmap.mmap(-1, 16 + RING_BYTES))
    counters, ring = area[:16].cast("Q"), area[16:]
    wake = os.eventfd(0)
    packet = RECORD * at_a_time
    room = RING_BYTES // (len(RECORD) * BURST) * (len(RECORD) * BURST)

    def publish(count: int) -> None:  # noqa: ARG001
        at = counters[0] % room
        ring[at : at + len(packet)] = packet
        counters[0] += len(packet)
        if counters[0] % (len(RECORD) * BURST) == 0:
            os.eventfd_write(wake, 1)  # a reader that is awake needs none of the others

    def receive() -> int:
        os.eventfd_read(wake)
        count = 0
        while counters[1] != counters[0]:
            at = counters[1] % room
            _ = bytes(ring[at : at + len(packet)])
            counters[1] += len(packet)
            count += at_a_time
        return count

    return measured(publish, receive, at_a_time)


def main() -> None:
    """Measure them, and print a table."""
    ways: dict[str, Callable[[int], tuple[float, float]]] = {
        "SEQPACKET": lambda count: by_socket(socket.SOCK_SEQPACKET, count),
        "datagram": lambda count: by_socket(socket.SOCK_DGRAM, count),
        "ring": by_ring,
    }
    for name, way in ways.items():
        for at_a_time in (1, 8):
            publisher, reader = way(at_a_time)
            print(f"{name:10} {at_a_time} at a time: {publisher:.2f} + {reader:.2f} us")  # noqa: T201


if __name__ == "__main__":
    main()
