from corepool_http.http1.names import Names
from corepool_http.message import Fields

def split(data: bytes, names: Names) -> tuple[str, bytes, Fields, int] | None: ...
