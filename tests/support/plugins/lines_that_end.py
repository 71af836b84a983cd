import asyncio
import socket
import sys
import time

from corepool.streams import BlockingProtocol, StreamProtocol


class Lines(StreamProtocol):
    input_limit = 1000

    async def handle(self, stream):
        try:
            async for line in stream:
                match line.strip():
                    case b"exactly":
                        stream.write(b"exactly\n")
                        stream.write(await stream.readexactly(5000))
                    case b"late":
                        async with stream.deadline(0.05):
                            await stream.readline()
                    case b"refused":
                        with socket.socket() as deaf:  # it doesn't listen
                            deaf.bind(("127.0.0.1", 0))
                            await asyncio.open_connection(*deaf.getsockname())
                    case b"slow database":
                        raise TimeoutError("of the database")
                    case b"exit":
                        sys.exit(1)
                    case b"end":
                        stream.write(b"no more\n")
                        stream.write_eof()
                        open("after", "wb").write(await stream.readline())
                    case b"much":
                        for _ in range(4):
                            stream.write(b"x" * 1_000_000)
                            await stream.drain()
                    case _:
                        stream.write(line)
        finally:
            await asyncio.sleep(0.2)
            open("last", "a").write("words")


class Threads(BlockingProtocol):
    input_limit = 1000

    def handle(self, stream):
        try:
            for line in stream.rfile:
                match line.strip():
                    case b"exactly":
                        stream.sendall(b"exactly\n")
                        stream.sendall(stream.rfile.read(5000))
                    case b"late":
                        stream.settimeout(0.05)
                        stream.readline()
                    case b"refused":
                        raise ConnectionRefusedError("by the database")
                    case b"slow database":
                        raise TimeoutError("of the database")
                    case b"exit":
                        sys.exit(1)
                    case b"end":
                        stream.sendall(b"no more\n")
                        stream.write_eof()
                        open("after", "wb").write(stream.readline())
                    case b"much":
                        for _ in range(4):
                            stream.sendall(b"x" * 1_000_000)
                    case _:
                        stream.sendall(line)
        finally:
            time.sleep(0.2)
            open("last", "a").write("words")
