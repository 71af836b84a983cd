import socket

from corepool import Endpoint
from corepool.testing.transport import TransportContract
from corepool_tcp import Tcp


class Broken(socket.socket):
    def recv(self, count):
        raise ValueError("as asked")


class Wrong(Tcp):
    wraps = True

    def wrap(self, sock):
        return Broken(fileno=sock.detach())


class TestWrong(TransportContract):
    def make(self):
        return Wrong()

    def endpoint(self, folder):
        return Endpoint.parse("tcp://127.0.0.1:0")
