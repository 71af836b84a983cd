import atexit
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor

context = multiprocessing.get_context("fork")


def wait():
    signal.pause()


def end_a_child_by(end):
    child = context.Process(target=wait)
    child.start()
    end(child)
    child.join()
    return child.exitcode


def fork_and_return(start_response):
    child = os.fork()
    if child == 0:
        return b"the child"
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def map_in_a_pool():
    with context.Pool(2) as pool:
        return pool.map(abs, [-1, -2])


def map_in_an_executor():
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        return list(executor.map(abs, [-1, -2]))


def write_last_record():
    with open("last-records", "a") as file:
        print(os.getpid(), file=file)


atexit.register(write_last_record)


def application(environ, start_response):
    actions = {
        "/pid": os.getpid,
        "/terminate": lambda: end_a_child_by(lambda child: child.terminate()),
        "/interrupt": lambda: end_a_child_by(lambda child: os.kill(child.pid, signal.SIGINT)),
        "/return": lambda: fork_and_return(start_response),
        "/pool": map_in_a_pool,
        "/executor": map_in_an_executor,
    }
    result = actions[environ["PATH_INFO"]]()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [result if isinstance(result, bytes) else str(result).encode()]
