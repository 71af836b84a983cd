import http.server
import os
import select
import socketserver
import threading
import wsgiref.simple_server
import xmlrpc.server

ADDRESS = ("127.0.0.1", 1)  # a port that can't be bound without privileges; none is asked for


class Counting(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            with self.server.lock:
                self.server.lines += 1
                count = self.server.lines
            self.wfile.write(b"%d %s" % (count, line))


class Counter(socketserver.ThreadingTCPServer):
    def __init__(self, address=ADDRESS):
        super().__init__(address, Counting)
        self.lock = threading.Lock()
        self.lines = 0


class NeedsHandler(socketserver.TCPServer):
    pass


class Picky(Counter):
    def verify_request(self, request, client_address):
        return False

    def handle_error(self, request, client_address):
        pass


def make():
    return Counter()


def served():
    with Counter() as server:
        try:
            server.serve_forever()
        finally:
            with open("ended", "a") as file:
                file.write(f"{server.lines}\n")


def by_hand():
    server = Counter()
    while True:
        server.handle_request()


def dns():
    from dnslib import RR
    from dnslib.server import BaseResolver, DNSLogger, DNSServer

    class Resolver(BaseResolver):
        def resolve(self, request, handler):
            reply = request.reply()
            reply.add_answer(*RR.fromZone(f"{request.q.qname} 60 A 1.2.3.4"))
            return reply

    DNSServer(Resolver(), port=1, address="127.0.0.1", tcp=True, logger=DNSLogger("-request,-reply")).start()


def dns_object():
    from dnslib.server import BaseResolver, DNSServer

    return DNSServer(BaseResolver(), port=1, address="127.0.0.1", tcp=True)


def dns_datagrams():
    from dnslib.server import BaseResolver, DNSServer

    DNSServer(BaseResolver(), port=1, address="127.0.0.1").start()


def irc():
    from irc.server import IRCClient, IRCServer

    IRCServer(ADDRESS, IRCClient).serve_forever()


def calculator():
    server = xmlrpc.server.SimpleXMLRPCServer(ADDRESS, logRequests=False)
    server.register_function(pow)
    server.register_introspection_functions()
    server.serve_forever()


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        content = f"{self.path} {self.server.server_address!r}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def pages():
    http.server.ThreadingHTTPServer(ADDRESS, Page).serve_forever()


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {environ['REMOTE_ADDR']}".encode()]


def wsgi():
    with wsgiref.simple_server.make_server("127.0.0.1", 1, app) as server:
        server.serve_forever()


class Asking(socketserver.StreamRequestHandler):
    """Does one thing for each line: what its commands are, the tests say."""

    def handle(self):
        for line in self.rfile:
            match line.split():
                case [b"file", offset, count]:
                    with open("file", "rb") as file:
                        sent = self.request.sendfile(file, int(offset), int(count) or None)
                        self.wfile.write(b"%d %d\n" % (sent, file.tell()))
                case [b"again"]:
                    with open("file", "rb") as file:
                        file.read(4)
                        self.wfile.write(b"%d\n" % self.request.sendfile(file))
                case [b"impatient"]:
                    self.request.fileno()
                    self.request.settimeout(0.05)
                    self.wfile.write(b"ready\n")
                    try:
                        self.rfile.read(10)
                    except TimeoutError:
                        self.request.settimeout(None)
                    ready, _, _ = select.select([self.request], [], [])
                    self.wfile.write(b"%d %s" % (len(ready), self.rfile.read(5)))
                case [b"text"]:
                    with open("file") as file:
                        try:
                            self.request.sendfile(file)
                        except ValueError as error:
                            self.wfile.write(f"{error}\n".encode())
                case [b"peek"]:
                    self.wfile.write(b"ready\n")
                    seen = self.rfile.peek(3)
                    self.wfile.write(b"%s|%s" % (seen, self.rfile.readline()))
                case [b"select"]:
                    before, writable, _ = select.select([self.request], [self.request], [], 0)
                    self.wfile.write(b"ready\n")
                    after, _, _ = select.select([self.request], [], [])
                    line_after = self.rfile.readline()
                    again, _, _ = select.select([self.request], [], [], 0)
                    self.wfile.write(f"{len(before)}{len(writable)}{len(after)}{len(again)} ".encode() + line_after)


def nothing():
    pass


def two():
    Counter()
    Counter()


def wants(argument):
    pass


def fails():
    raise RuntimeError("no database")


def leaves():
    server = Counter()
    threading.Timer(0.1, server.shutdown).start()
    server.serve_forever()


class NoServer:
    def __init__(self):
        self.pid = os.getpid()
