import builtins
import os

from corepool import Dispatcher, Scaler, hookimpl
from corepool_echo import Echo
from corepool_tcp import Tcp


class Panic(BaseException):
    pass


def maybe(place):
    try:
        case = open("case").read()
    except FileNotFoundError:
        return
    if case.partition(":")[0] == place:
        os.unlink("case")
        kind = case.partition(":")[2]
        raise (globals().get(kind) or getattr(builtins, kind))(case)


class Hooks(Echo):
    def __init__(self):
        maybe("constructor")

    @hookimpl
    def on_start(self, pool):
        maybe("on_start")

    @hookimpl
    def on_ready(self, pool):
        maybe("on_ready")

    @hookimpl
    def on_reload(self, pool):
        maybe("on_reload")

    @hookimpl
    def on_child_exit(self, worker, exit):
        maybe("on_child_exit")

    @hookimpl
    def on_signal(self, signum):
        maybe("on_signal")

    @hookimpl
    def on_stop(self, pool):
        maybe("on_stop")


class Picks(Dispatcher):
    def pick(self, workers, incoming):
        maybe("pick")
        return workers[0]


class Scales(Scaler):
    def decide(self, load):
        maybe("decide")
        return load.workers


class Brittle(Tcp):
    def check(self, endpoint):
        maybe("check")
        super().check(endpoint)

    def listen(self, endpoint, backlog):
        maybe("listen")
        return super().listen(endpoint, backlog)

    def url(self, endpoint, listening):
        maybe("url")
        return super().url(endpoint, listening)

    def close(self, endpoint, listening):
        maybe("close")
        super().close(endpoint, listening)
