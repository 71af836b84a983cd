# ruff: noqa: F401 - clients use these modules in their expressions
import ast
import os
import resource
import signal
import stat
import time

from corepool import hookimpl


def attempt(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return error.errno
    return 0


def make(path):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o666))
    return stat.S_IMODE(os.stat(path).st_mode)


def spin():
    while True:
        pass


class Insider:
    @hookimpl
    def on_readable(self, conn):
        expression = conn.recv().decode()
        if expression:
            conn.send(repr(eval(expression)).encode() + b"\n")
