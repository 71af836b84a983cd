"""An application that sends early hints, once for each list of its query, a Python literal; the last of them late."""

from __future__ import annotations

import ast
from urllib.parse import unquote


def wsgi(environ, start_response):
    """Send the hints of the query, then a response, and one more hint behind its first piece."""
    hint = environ["wsgi.early_hints"]
    for headers in ast.literal_eval(unquote(environ["QUERY_STRING"])):
        hint(headers)
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"first"
    hint([("Link", "</late>")])
    yield b" second"
