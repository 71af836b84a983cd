import corepool
from corepool import SetupError, hookimpl
from corepool.streams import BlockingProtocol


class Base:
    @hookimpl
    def on_readable(self, conn):
        conn.send(conn.recv())


class Raises(Base):
    def __init__(self):
        self.prepare()

    def prepare(self):
        raise RuntimeError("boom in init")


class OptsNoInit(Base):
    Options = corepool.Options


class InitWithoutOptions(Base):
    def __init__(self, options): ...


class ForgetsInherited(BlockingProtocol):
    def __init__(self): ...
    def handle(self, stream): ...


class Abstract(BlockingProtocol): ...


class Refuses(Base):
    def __init__(self):
        try:
            open("/nowhere/at/all")
        except OSError as error:
            raise SetupError("the file is missing: /nowhere/at/all") from error
