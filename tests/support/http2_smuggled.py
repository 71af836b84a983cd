"""Requests that a proxy and this server could read in two ways, in the form of HTTP/2.

What HTTP/1 has for its own framing (RFC 9112) has no meaning there, and comes back to life where a request is
passed on.
"""

from __future__ import annotations

from http2_frames import GET, POST

CASES: dict[str, list[tuple[str, str]]] = {
    "a request in a value": [*GET, ("x", "y\r\n\r\nGET /admin HTTP/1.1\r\nHost: a")],
    "a header in a value": [*GET, ("x", "y\r\nTransfer-Encoding: chunked")],
    "a header in a name": [*GET, ("x: y\r\ntransfer-encoding", "chunked")],
    "a line feed alone": [*GET, ("x", "y\nz: 1")],
    "a carriage return alone": [*GET, ("x", "y\rz: 1")],
    "NUL": [*GET, ("x", "y\0z")],
    "a request in the path": [*GET[:3], (":path", "/ HTTP/1.1\r\nHost: a\r\n\r\nGET /admin")],
    "a version in the path": [*GET[:3], (":path", "/ HTTP/1.1")],
    "a request in the method": [(":method", "GET /admin HTTP/1.1\r\nx: "), *GET[1:]],
    "a space in the method": [(":method", "GET /"), *GET[1:]],
    "a request in the authority": [*GET[:2], (":authority", "a\r\nx: y"), GET[3]],
    "a path in the authority": [*GET[:2], (":authority", "a/b?"), GET[3]],
    "two authorities": [*GET, (":authority", "other")],
    "another Host": [*GET, ("host", "other")],
    "two Hosts": [*GET[:2], GET[3], ("host", "a"), ("host", "b")],
    "chunked": [*POST, ("transfer-encoding", "chunked")],
    "chunked in upper case": [*POST, ("Transfer-Encoding", "chunked")],
    "chunked behind white space": [*POST, ("transfer-encoding ", "chunked")],
    "chunked by Connection": [*POST, ("connection", "transfer-encoding")],
    "two lengths": [*POST, ("content-length", "3"), ("content-length", "4")],
    "a list of lengths": [*POST, ("content-length", "3, 3")],
    "a signed length": [*POST, ("content-length", "+3")],
    "a hexadecimal length": [*POST, ("content-length", "0x3")],
    "a length with an underscore": [*POST, ("content-length", "1_0")],
    "an endless length": [*POST, ("content-length", "9" * 40)],
    "an empty length": [*POST, ("content-length", "")],
    "a pseudo-header field behind": [*GET, ("x", "y"), (":path", "/admin")],
    "an upgrade": [*GET, ("upgrade", "h2c")],
}
