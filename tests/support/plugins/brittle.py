from corepool import Layer
from corepool_tcp import Tcp


class Fragile(Layer):
    is_open = True

    def received(self, data):
        return data

    def sent(self, data):
        if data == b"poison":
            raise KeyError("as asked")
        return data

    def finish(self):
        with open("finished", "a") as file:
            print("finished", file=file)
        raise KeyError("as asked")


class Brittle(Tcp):
    count = 0

    def layers(self, peer):
        self.count += 1
        if self.count == 2:
            raise OSError("as asked")
        return [Fragile()]
