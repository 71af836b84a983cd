import asyncio
import os
import socketserver


class Upper(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"hello %s\n" % transport.get_extra_info("peername")[0].encode())

    def data_received(self, data):
        if data == b"much\n":
            self.transport.set_write_buffer_limits(high=100_000)
            self.left = 300
            self.more()
        elif data == b"pid\n":
            self.transport.write(b"%d\n" % os.getpid())
        else:
            self.transport.write(data.upper())

    paused = False
    left = 0

    def more(self):
        while self.left and not self.paused:
            self.left -= 1
            self.transport.write(b"x" * 100_000)

    def pause_writing(self):
        self.paused = True

    def resume_writing(self):
        self.paused = False
        self.more()

    def eof_received(self):
        self.transport.write(b"bye\n")

    def connection_lost(self, error):
        with open("lost", "a") as file:
            file.write(f"{error!r}\n")


class Buffered(asyncio.BufferedProtocol):
    def __init__(self):
        self.buffer = bytearray(3)

    def connection_made(self, transport):
        self.transport = transport

    def get_buffer(self, sizehint):
        return self.buffer

    def buffer_updated(self, count):
        self.transport.write(bytes(self.buffer[:count]).upper())

    def eof_received(self):
        return False


async def handler(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()
    await writer.wait_closed()


class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"hello %s\n" % self.client_address[0].encode())
        for line in self.rfile:
            self.wfile.write(line.upper())


class Raw(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.settimeout(60)
        while data := self.request.recv(1024):
            self.request.sendall(data.upper())


def smtp():
    from aiosmtpd.handlers import Debugging
    from aiosmtpd.smtp import SMTP

    return SMTP(Debugging(open("mail", "a", buffering=1)), hostname="corepool.test")


async def websocket():
    from websockets.asyncio.server import serve

    async def echo(connection):
        async for message in connection:
            await connection.send(message.upper())

    async with serve(echo, "127.0.0.1", 1) as server:
        await server.serve_forever()


async def main():
    server = await asyncio.start_server(handler, "127.0.0.1", 1)
    assert server.is_serving()
    await server.serve_forever()


async def nothing():
    pass


def plain(reader, writer):
    asyncio.ensure_future(handler(reader, writer))


class Unrelated:
    pass


class WithArguments(asyncio.Protocol):
    def __init__(self, database, *, limit=5):
        pass


async def one_argument(reader):
    pass


class Datagrams(socketserver.DatagramRequestHandler):
    pass


def controller():
    from aiosmtpd.controller import Controller
    from aiosmtpd.handlers import Sink

    Controller(Sink(), hostname="127.0.0.1", port=1).start()


async def controller_in_main():
    controller()
    await asyncio.Event().wait()


def no_protocol():
    return 5
