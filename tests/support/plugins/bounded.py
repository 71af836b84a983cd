import asyncio
import os
import time

from corepool import hookimpl
from corepool.streams import BlockingProtocol, StreamProtocol

MEBIBYTE = bytes(1 << 20)


def touch(name):
    open(name, "w").close()


async def appears(name):
    while not os.path.exists(name):
        await asyncio.sleep(0.005)


class Coroutines(StreamProtocol):
    input_limit = 1000

    async def handle(self, stream):
        match (await stream.readline()).strip():
            case b"silent":
                await appears("go on")
            case b"line":
                await stream.readline()
            case b"ignores":
                while not stream.closed:
                    stream.write(MEBIBYTE)
                touch("ended")
            case b"drains":
                for _ in range(64):
                    stream.write(MEBIBYTE)
                    await stream.drain()
            case b"half open":
                await stream.read()
                stream.write(b"later")


class Blocking(BlockingProtocol):
    input_limit = 1000

    def handle(self, stream):
        match stream.readline().strip():
            case b"silent":
                while not os.path.exists("go on"):
                    time.sleep(0.005)
            case b"line":
                stream.readline()
            case b"sends":
                for _ in range(64):
                    stream.sendall(MEBIBYTE)
            case b"half open":
                while stream.recv(1000):
                    pass
                stream.sendall(b"later")


class Hosted(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        if not self.transport.is_reading():
            touch("read while paused")
        match data.strip():
            case b"pauses":
                self.transport.pause_reading()
                self.transport.write(b"paused")
                asyncio.get_running_loop().create_task(self.resume())
            case b"ignores":
                while not self.transport.is_closing():
                    self.transport.write(MEBIBYTE)
                self.transport.write(MEBIBYTE)
                touch("ended")
            case b"large":
                self.transport.write(MEBIBYTE * 4)
                self.transport.close()
                self.transport.write(b"never sent")

    async def resume(self):
        await appears("go on")
        self.transport.resume_reading()

    def eof_received(self):
        self.transport.write(b"later")


class Closes:
    @hookimpl
    def on_readable(self, conn):
        conn.recv(1)
        conn.send(b"closed")
        conn.close()
