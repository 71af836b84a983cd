"""Hosted servers with TLS of their own: from the first byte, or after a command."""

import asyncio
import http.server
import json
import socketserver
import ssl


def certificates():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("server.crt", "server.key")
    return context


def known(get):
    session = get("ssl_object")
    return {
        "version": session and session.version(),
        "cipher": get("cipher") and get("cipher")[0],
        "context": type(get("sslcontext")).__name__,
        "peercert": get("peercert"),
        "peername": get("peername")[0],
    }


async def lines(reader, writer):
    writer.write(b"hello\n")
    while line := await reader.readline():
        if line == b"facts\n":
            writer.write(json.dumps(known(writer.get_extra_info)).encode() + b"\n")
        elif line == b"starttls\n":
            writer.write(b"go\n")
            await writer.start_tls(certificates())
            writer.write(b"secret\n")
        else:
            writer.write(b"<" + line.rstrip() + b">\n")
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def streams():
    server = await asyncio.start_server(lines, "127.0.0.1", 1, ssl=certificates())
    async with server:
        await server.serve_forever()


async def later():
    server = await asyncio.start_server(lines, "127.0.0.1", 1)
    async with server:
        await server.serve_forever()


class Lines(asyncio.Protocol):
    def __init__(self):
        self.rest = b""

    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"hello\n")

    def data_received(self, data):
        *whole, self.rest = (self.rest + data).split(b"\n")
        for line in whole:
            if line == b"facts":
                self.transport.write(json.dumps(known(self.transport.get_extra_info)).encode() + b"\n")
            elif line == b"starttls":
                self.rest = b""
                self.transport.write(b"go\n")
                self.task = asyncio.get_running_loop().create_task(self.upgrade())
                return
            else:
                self.transport.write(b"<" + line + b">\n")

    async def upgrade(self):
        loop = asyncio.get_running_loop()
        self.transport = await loop.start_tls(self.transport, self, certificates(), server_side=True)
        self.transport.write(b"secret\n")

    def connection_lost(self, error):
        with open("lost", "a") as file:
            file.write(f"{error!r}\n")


async def protocol():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        Lines, "127.0.0.1", 1, ssl=certificates(), ssl_handshake_timeout=0.5, ssl_shutdown_timeout=5
    )
    async with server:
        await server.serve_forever()


async def wrong_timeout():
    await asyncio.start_server(lines, "127.0.0.1", 1, ssl_handshake_timeout=5)


async def wrong_context():
    await asyncio.start_server(lines, "127.0.0.1", 1, ssl=True)


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        content = json.dumps([self.request.version(), self.request.cipher()[0], self.client_address[0]]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def https():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 1), Web)
    server.socket = certificates().wrap_socket(server.socket, server_side=True)
    server.serve_forever()


def wraps_each():
    class Server(socketserver.ThreadingTCPServer):
        def get_request(self):
            client, address = super().get_request()
            return certificates().wrap_socket(client, server_side=True), address

    return Server(("127.0.0.1", 1), Upgrades)


class Upgrades(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            if line == b"starttls\n":
                self.wfile.write(b"go\n")
                self.request.start_tls(certificates())
                self.wfile.write(b"secret\n")
            else:
                self.wfile.write(b"<" + line.rstrip() + b">\n")


class Wraps(socketserver.BaseRequestHandler):
    def handle(self):
        assert not hasattr(self.request, "cipher")
        certificates().wrap_socket(self.request, server_side=True)


def smtp():
    from aiosmtpd.handlers import Debugging
    from aiosmtpd.smtp import SMTP

    return SMTP(Debugging(open("mail", "a", buffering=1)), hostname="corepool.test", tls_context=certificates())
