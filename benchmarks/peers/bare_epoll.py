"""The least that Python can do for an answer: `bare_epoll PORT`.

epoll, os.read, os.write and a dictionary; no protocol can be plugged in, nothing partial is sent again, nothing has
a limit. It can't be used for anything: it shows how much of a ping is the interpreter's and the kernel's.
"""

from __future__ import annotations

import os
import socket
import sys
from select import EPOLLIN, epoll


def serve(port: int) -> None:
    """Answer every line with redis's answer to PING, until the process is ended."""
    listener = socket.create_server(("127.0.0.1", port), backlog=2048)
    poller = epoll()
    poller.register(listener.fileno(), EPOLLIN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    clients: dict[int, socket.socket] = {}
    read, write, poll = os.read, os.write, poller.poll
    while True:
        for fd, _ in poll(None, 256):
            if fd in clients:
                data = read(fd, 65536)
                if data:
                    write(fd, b"+PONG\r\n" * data.count(b"\n"))
                else:
                    clients.pop(fd).close()
            else:
                client, _ = listener.accept()
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
                clients[client.fileno()] = client
                poller.register(client.fileno(), EPOLLIN)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
