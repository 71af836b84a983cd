import asyncio
import socketserver

from corepool.streams import BlockingProtocol, StreamProtocol


class Coroutine(StreamProtocol):
    async def handle(self, stream):
        async for line in stream:
            stream.write(line.upper())
            await stream.drain()


class Thread(BlockingProtocol):
    def handle(self, stream):
        for line in stream.rfile:
            stream.wfile.write(line.upper())


class Hosted(asyncio.Protocol):
    rest = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        *lines, self.rest = (self.rest + data).split(b"\n")
        self.transport.writelines([line.upper() + b"\n" for line in lines])

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def hosted(reader, writer):
    try:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
    except (ConnectionError, ValueError):
        pass
    writer.close()


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())
