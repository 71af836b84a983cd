import os

from corepool import hookimpl


def note(name):
    with open(os.environ["MAKINGS"], "a") as file:
        file.write(f"{name}\n")


class Spoken:
    def __init__(self):
        note("protocol")

    @hookimpl
    def on_readable(self, conn):
        conn.send(conn.recv())


class Heard:
    def __init__(self):
        note("extension")

    @hookimpl
    def on_accept(self, conn):
        pass
