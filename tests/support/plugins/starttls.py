"""A line protocol with STARTTLS, written in each way: `facts` tells of TLS, `quit` ends, any other line comes back."""

import asyncio
import json
import os
import ssl
import time

from corepool import hookimpl
from corepool.streams import BlockingProtocol, StreamProtocol


def certificates():
    """Return a context; None: the certificates are the listener's."""
    if not os.path.exists("server.crt"):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("server.crt", "server.key")
    return context


def answer(line, facts):
    if line == b"facts":
        return json.dumps({"tls": facts.get("tls"), "cipher": facts.get("cipher")}).encode() + b"\n"
    return b"<" + line + b">\n"


class Callbacks:
    def __init__(self):
        self.context = certificates()

    @hookimpl
    def on_accept(self, conn):
        conn.session = b""
        conn.send(b"hello\n")

    @hookimpl
    def on_readable(self, conn):
        *lines, conn.session = (conn.session + conn.recv()).split(b"\n")
        for line in lines:
            if line == b"starttls":
                conn.session = b""  # also what stands behind the command
                conn.send(b"go\n")
                conn.start_tls(self.context)
                return
            if line == b"again":
                try:
                    conn.start_tls(self.context)
                except RuntimeError as error:
                    conn.send(f"{error}\n".encode())
            elif line == b"quit":
                conn.close()
                return
            else:
                conn.send(answer(line, conn.facts))

    @hookimpl
    def on_tls(self, conn):
        conn.send(b"secret\n")

    @hookimpl
    def on_freeze(self, conn):
        return conn.session

    @hookimpl
    def on_thaw(self, conn, state):
        conn.session = state

    @hookimpl
    def on_close(self, reason):
        with open("reasons", "a") as file:
            file.write(f"{reason}\n")


class Coroutine(StreamProtocol):
    input_limit = 1000

    def __init__(self):
        self.context = certificates()

    async def handle(self, stream):
        stream.write(b"hello\n")
        async for line in stream:
            match line.rstrip(b"\n"):
                case b"starttls":
                    stream.write(b"go\n")
                    await self.start(stream)
                case b"starttls late":
                    stream.write(b"go\n")
                    await asyncio.sleep(0.2)
                    await self.start(stream)
                case b"starttls soon":
                    stream.write(b"go\n")
                    async with stream.deadline(0.1):
                        await self.start(stream)
                case b"again":
                    try:
                        await self.start(stream)
                    except RuntimeError as error:
                        stream.write(f"{error}\n".encode())
                case b"quit":
                    return
                case text:
                    stream.write(answer(text, stream.facts))

    async def start(self, stream):
        try:
            await stream.start_tls(self.context)
        except ConnectionResetError as error:
            with open("reasons", "a") as file:
                file.write(f"{error}\n")
            raise
        stream.write(b"secret\n")


class Threads(BlockingProtocol):
    input_limit = 1000

    def __init__(self, options):
        super().__init__(options)
        self.context = certificates()

    def handle(self, stream):
        stream.sendall(b"hello\n")
        for line in stream:
            match line.rstrip(b"\n"):
                case b"starttls":
                    stream.sendall(b"go\n")
                    self.start(stream)
                case b"starttls late":
                    stream.sendall(b"go\n")
                    time.sleep(0.2)
                    self.start(stream)
                case b"starttls soon":
                    stream.sendall(b"go\n")
                    stream.settimeout(0.1)
                    self.start(stream)
                case b"again":
                    try:
                        self.start(stream)
                    except RuntimeError as error:
                        stream.sendall(f"{error}\n".encode())
                case b"quit":
                    return
                case text:
                    stream.sendall(answer(text, stream.facts))

    def start(self, stream):
        try:
            stream.start_tls(self.context)
        except ConnectionResetError as error:
            with open("reasons", "a") as file:
                file.write(f"{error}\n")
            raise
        stream.sendall(b"secret\n")
