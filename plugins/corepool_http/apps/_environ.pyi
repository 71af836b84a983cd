from typing import Any

from corepool_http.apps.wsgi_environ import Variables
from corepool_http.message import RequestLine, Section

def add_request(
    environ: dict[str, Any],
    ends: dict[str, Any],
    line: RequestLine,
    section: Section,
    mount: bytes,
    variables: Variables,
) -> None: ...
