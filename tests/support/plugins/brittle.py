from corepool_tcp import Tcp


class Stream:
    def __init__(self, sock):
        self.sock = sock

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def send(self, data):
        if data == b"poison":
            raise ValueError("as asked")
        return self.sock.send(data)

    def close(self):
        with open("closed", "a") as file:
            print("closed", file=file)
        self.sock.close()
        raise ValueError("as asked")


class Brittle(Tcp):
    wraps = True
    count = 0

    def wrap(self, sock):
        self.count += 1
        if self.count == 2:
            sock.close()
        return Stream(sock)
