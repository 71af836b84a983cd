"""The same as a coroutine for each connection, and as a thread for each."""

from corepool.streams import BlockingProtocol, BlockingStream, Stream, StreamProtocol


class StreamPing(StreamProtocol):
    """Answer every line."""

    async def handle(self, stream: Stream) -> None:
        async for _ in stream:
            stream.write(b"+PONG\r\n")
            await stream.drain()


class ThreadPing(BlockingProtocol):
    """Answer every line."""

    def handle(self, stream: BlockingStream) -> None:
        for _ in stream.rfile:
            stream.wfile.write(b"+PONG\r\n")
