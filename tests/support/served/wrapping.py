import bz2
import gzip
import io
import json
import lzma
import os
import tempfile
import zipfile


class Upper(io.FileIO):
    def read(self, size=-1):
        return super().read(size).upper()


class Wrapped:
    def __init__(self, file):
        self._file = file

    def read(self, size=-1):
        return self._file.read(size).upper()

    def fileno(self):
        return self._file.fileno()


def spooled(size):
    file = tempfile.SpooledTemporaryFile(max_size=size)
    file.write(open("large", "rb").read())
    file.seek(0)
    return file


def written(make):
    file = make()
    file.write(b"start ")
    file.flush()
    file.write(b"end")
    file.seek(0)
    return file


def pipe():
    reading, writing = os.pipe()
    os.write(writing, b"piped")
    os.close(writing)
    return open(reading, "rb")


class Broken:
    def read(self, size):
        raise OSError("on purpose")


FILES = {
    "gzip": lambda: gzip.open("large.gz"),
    "bz2": lambda: bz2.open("large.bz2"),
    "lzma": lambda: lzma.open("large.xz"),
    "zip": lambda: zipfile.ZipFile("large.zip").open("large"),
    "large": lambda: open("large", "rb"),
    "unbuffered": lambda: open("large", "rb", buffering=0),
    "small": lambda: open("small", "rb"),
    "empty": lambda: open("empty", "rb"),
    "proc": lambda: open("/proc/self/stat", "rb"),
    "memory": lambda: io.BytesIO(b"memory"),
    "spooled in memory": lambda: spooled(10**9),
    "spooled to disk": lambda: spooled(10),
    "temporary": lambda: written(tempfile.TemporaryFile),
    "named temporary": lambda: written(tempfile.NamedTemporaryFile),
    "subclass": lambda: Upper("small"),
    "object": lambda: Wrapped(open("small", "rb")),
    "pipe": pipe,
    "broken": Broken,
}


def application(environ, start_response):
    name, offset, block, headers = json.loads(environ["HTTP_X_FILE"])
    file = FILES[name]()
    if offset:
        file.seek(offset)
    start_response("200 OK", [tuple(pair) for pair in headers])
    return environ["wsgi.file_wrapper"](file, *block)
