from collections.abc import Sequence

from corepool import Address, Layer
from corepool_tcp import Tcp

FLIP = bytes(each ^ 0x55 for each in range(256))


class Flip(Layer):
    is_open = True

    def received(self, data: bytes) -> bytes:
        return data.translate(FLIP)

    def sent(self, data: bytes) -> bytes:
        return data.translate(FLIP)


class Flipped(Tcp):
    def layers(self, peer: Address) -> Sequence[Layer]:
        return [Flip()]
