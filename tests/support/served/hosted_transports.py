import asyncio
import contextvars
import http.server
import os
import socket
import socketserver

seen = contextvars.ContextVar("seen", default="nobody")


class Lab(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def say(self, *facts):
        self.transport.write(" ".join(map(str, facts)).encode() + b"\n")

    def data_received(self, data):
        getattr(self, data.decode().strip())()

    def facts(self):
        transport = self.transport
        sock = transport.get_extra_info("socket")
        same = sock.getpeername() == transport.get_extra_info("peername")
        self.say(
            same,
            len(transport.get_extra_info("sockname")),
            transport.get_extra_info("cipher", "none"),
            transport.get_write_buffer_limits(),
            transport.can_write_eof(),
            transport.get_protocol() is self,
        )

    def end(self):
        self.say("no more")
        self.transport.write_eof()
        try:
            self.transport.write(b"x")
        except RuntimeError:
            open("refused", "w").close()

    def open(self):
        self.file = open("theirs", "wb", buffering=0)
        self.say("opened")

    def write(self):
        self.file.write(b"whole")
        self.say("written")

    def note(self):
        open("noted", "w").close()
        self.transport.close()

    def wrong(self):
        try:
            self.transport.write(5)
        except TypeError:
            self.say("refused")

    def limits(self):
        self.events = []
        self.transport.set_write_buffer_limits(0)
        self.say("x")
        self.events.append("written")

    def pause_writing(self):
        self.events.append("pause")

    def resume_writing(self):
        self.transport.set_write_buffer_limits()
        self.say(*self.events, "resume")

    def raised(self):
        self.events = []
        self.transport.set_write_buffer_limits(1)
        self.transport.write(b"more than one byte\n")
        self.transport.set_write_buffer_limits(1000)

    def file(self):
        async def send():
            loop = asyncio.get_running_loop()
            self.transport.write(b"%d\n" % await loop.sendfile(self.transport, open("file", "rb")))

        self.task = asyncio.get_running_loop().create_task(send())

    def login(self):
        seen.set("logged in")
        self.who()

    def who(self):
        self.say(seen.get())
        asyncio.get_running_loop().call_soon(lambda: self.say(seen.get()))

    def fail(self):
        raise ValueError("asked to fail")

    def other(self):
        self.say("other")
        protocol = Other()
        protocol.transport = self.transport
        self.transport.set_protocol(protocol)

    def eof_received(self):
        self.say("bye")

    def connection_lost(self, error):
        transport = self.transport
        print(
            repr(error),
            bool(transport.get_extra_info("peername")),
            transport.get_extra_info("socket"),
            transport.is_closing(),
            file=open("lost", "w"),
        )


class Other(asyncio.BufferedProtocol):
    buffer = bytearray(2)

    def get_buffer(self, sizehint):
        return self.buffer

    def buffer_updated(self, count):
        self.transport.write(b"<" + self.buffer[:count] + b">")

    def eof_received(self):
        asyncio.get_running_loop().call_soon(self.later)
        return True

    def later(self):
        self.transport.write(b"later")
        self.transport.close()


async def streams(reader, writer):
    while line := await reader.readline():
        writer.write(line)
    open("ended", "w").close()
    await asyncio.sleep(0.2)
    open("cleaned up", "w").close()


async def fails_later():
    await asyncio.start_server(streams)
    while not os.path.exists("fail"):
        await asyncio.sleep(0.01)
    os.unlink("fail")
    raise ValueError("asked to fail later")


async def two():
    await asyncio.start_server(streams)
    await asyncio.start_unix_server(streams, "second")


async def waits():
    while not os.path.exists("go"):
        await asyncio.sleep(0.01)
    await main()


async def never():
    await asyncio.Event().wait()


async def main():
    server = await asyncio.start_server(streams, "127.0.0.1", 8888)
    open("serving", "w").write(repr(server.sockets[0].getsockname()))
    await server.serve_forever()


async def fails_at_once():
    await asyncio.start_server(streams)
    await asyncio.open_connection("127.0.0.1", 1)


async def wants_signals():
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(streams)
    stop = loop.create_future()
    await asyncio.sleep(0.2)
    loop.add_signal_handler(15, stop.set_result, None)
    open("asked", "w").close()
    await stop


async def closes():
    server = await asyncio.start_server(streams)
    while not os.path.exists("close"):
        await asyncio.sleep(0.01)
    os.unlink("close")
    server.close()
    await server.wait_closed()


async def websocket():
    from websockets.asyncio.server import serve

    async def echo(connection):
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 1) as server:
        await server.serve_forever()


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 20

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"])).upper()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(b"%d\n" % len(line))


class Both(socketserver.BaseRequestHandler):
    def handle(self):
        with self.request as request:
            request.setblocking(True)
            buffer = bytearray(10)
            count = request.recv_into(buffer, 4)
            file = request.makefile("rw", newline="")
            line = file.readline()
            file.write(f"{bytes(buffer[:count])} {line!r} {request.getsockopt(1, 9)}\n")
            file.flush()
            for call in (
                lambda: request.settimeout(0),
                lambda: request.setblocking(False),
                lambda: request.recv(-1),
                lambda: request.recv_into(bytearray(1), 2),
            ):
                try:
                    call()
                except ValueError as error:
                    file.write(f"{error}\n")
            file.flush()
        try:
            request.recv(1)
        except OSError as error:
            open("closed", "w").write(str(error))


class Half(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"no more")
        self.request.shutdown(socket.SHUT_WR)
        with self.request.makefile("r", encoding="utf-8") as lines:
            open("after", "w").write(lines.readline())
