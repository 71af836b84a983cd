"""Both ends of a connection, as applications are told."""

import json


def wsgi(environ, start_response):
    start_response("200 OK", [])
    keys = ("REMOTE_ADDR", "REMOTE_PORT", "SERVER_NAME", "SERVER_PORT", "wsgi.url_scheme")
    return [json.dumps([environ[key] for key in keys]).encode()]


async def asgi(scope, receive, send):
    told = json.dumps([scope["client"], scope["server"], scope["scheme"]]).encode()
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": told})


def secured(environ, start_response):
    start_response("200 OK", [])
    told = [environ["REMOTE_ADDR"], environ["wsgi.url_scheme"], "SSL_PROTOCOL" in environ]
    return [json.dumps(told).encode()]


def header_of_wsgi(environ, start_response):
    start_response("200 OK", [])
    return [_told(environ)]


async def header_of_asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": _told(scope)})


def _told(ends):
    header = ends.get("corepool.proxy_header")
    return json.dumps(header and [header.authority, header.unique_id and header.unique_id.decode()]).encode()
