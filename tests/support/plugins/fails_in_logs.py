import logging
import os

from corepool import hookimpl


class Panic(BaseException):
    pass


class Odd(SystemExit):
    def __getattribute__(self, name):
        raise Panic("as asked")

    __setattr__ = __str__ = __repr__ = __eq__ = __getattribute__


def refuse(record):
    raise Panic("there is no request")


class Refuses(logging.Handler):
    emit = staticmethod(refuse)


def fail(text):
    raise Odd() if text == "odd" else SystemExit(text)


class Fails:
    @hookimpl
    def on_worker_start(self, worker):
        self.loop = worker.loop

    @hookimpl
    def on_readable(self, conn):
        word, _, text = conn.recv().decode().partition(" ")
        match word:
            case "own-filters":
                for handler in logging.getLogger().handlers:
                    handler.addFilter(refuse)
            case "a-handler":
                logging.getLogger().addHandler(Refuses())
            case "hook":
                fail(text)
            case "callback":
                self.loop.call_soon(fail, text)
            case "log":
                logging.getLogger("application").warning("it is raised to me")
        conn.send(b"%d" % os.getpid())
