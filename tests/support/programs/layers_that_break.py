from corepool import Endpoint, Layer
from corepool.testing.transport import TransportContract
from corepool_tcp import Tcp


class Broken(Layer):
    is_open = True

    def received(self, data):
        raise ValueError("as asked")

    def sent(self, data):
        return data


class Wrong(Tcp):
    def layers(self, peer):
        return [Broken()]


class TestWrong(TransportContract):
    def make(self):
        return Wrong()

    def endpoint(self, folder):
        return Endpoint.parse("tcp://127.0.0.1:0")
