from corepool_tcp import Tcp

FLIP = bytes(each ^ 0x55 for each in range(256))


class Stream:
    def __init__(self, sock):
        self.sock = sock

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def recv(self, size):
        return self.sock.recv(size).translate(FLIP)

    def send(self, data):
        return self.sock.send(bytes(data).translate(FLIP))


class Flipped(Tcp):
    wraps = True

    def wrap(self, sock):
        return Stream(sock)
