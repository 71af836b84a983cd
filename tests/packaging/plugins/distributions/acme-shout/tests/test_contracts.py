"""The stranger's own tests: his plugins keep corepool's contracts."""

from acme_shout import HighestSlot

from corepool.testing.dispatcher import DispatcherContract
from corepool.testing.protocol import ProtocolContract


class TestHighestSlot(DispatcherContract):
    def make(self) -> HighestSlot:
        return HighestSlot()


class TestShout(ProtocolContract):
    serve_arguments = ("shout", "-o", "ending=!")
    request = b"hello\n"
    reply = b"HELLO!\n"
