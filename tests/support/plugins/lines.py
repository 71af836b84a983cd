import asyncio
import os
import time

from corepool.streams import BlockingProtocol, StreamProtocol


class Lines(StreamProtocol):
    input_limit = 1000

    async def handle(self, stream):
        async for line in stream:
            match line.strip():
                case b"exactly":
                    stream.write(await stream.readexactly(5))
                case b"until":
                    stream.write(await stream.readuntil(b";"))
                case b"much":
                    for _ in range(500):
                        stream.write(b"x" * 100_000)
                        await stream.drain()
                case b"leave":
                    stream.write(b"x" * 30_000_000)
                    return
                case b"deadline":
                    try:
                        async with stream.deadline(0.05):
                            await stream.readline()
                    except TimeoutError:
                        stream.write(b"too late\n")
                case b"slow":
                    open("slow", "w").close()
                    await asyncio.sleep(0.5)
                    stream.write(b"slow done %d\n" % stream.draining)
                case b"forever":
                    try:
                        open("forever", "w").close()
                        await asyncio.sleep(1000)
                    except asyncio.CancelledError as error:
                        open("cancelled", "w").write(str(error))
                        raise
                case b"pieces":
                    whole = await stream.read(3)
                    open("begun", "w").close()
                    stream.write(whole + await stream.read(3, begun=True) + b"\n")
                case b"raise":
                    raise ValueError("asked to raise")
                case b"pid":
                    stream.write(b"%d\n" % os.getpid())
                case _:
                    stream.write(line)
        stream.writelines([b"b", b"ye\n"])


class Threads(BlockingProtocol):
    input_limit = 1000

    def handle(self, stream):
        for line in stream.rfile:
            match line.strip():
                case b"exactly":
                    stream.wfile.write(stream.rfile.read(5))
                case b"much":
                    for _ in range(500):
                        stream.wfile.write(b"x" * 100_000)
                case b"deadline":
                    stream.settimeout(0.05)
                    try:
                        stream.recv(1)
                    except TimeoutError:
                        stream.wfile.write(b"too late\n")
                    stream.settimeout(None)
                case b"slow":
                    open("slow", "w").close()
                    time.sleep(0.5)
                    stream.wfile.write(b"slow done %d\n" % stream.draining)
                case b"forever":
                    open("forever", "w").close()
                    time.sleep(1000)
                case b"pieces":
                    whole = stream.recv(3)
                    open("begun", "w").close()
                    stream.sendall(whole + stream.recv(3, begun=True) + b"\n")
                case b"cancelled":
                    raise asyncio.CancelledError
                case b"raise":
                    raise ValueError("asked to raise")
                case b"pid":
                    stream.wfile.write(b"%d\n" % os.getpid())
                case _:
                    stream.sendall(line)
        stream.sendall(b"bye\n")
