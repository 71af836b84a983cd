from collections.abc import Callable

from corepool_http.message import Request
from corepool_http.options import ServerOptions

class HeadReader:
    lower: Callable[[bytes], bytes]
    end: int
    length: int

    def __init__(self, options: ServerOptions) -> None: ...
    def read(self, data: bytes, at: int) -> Request | None: ...
