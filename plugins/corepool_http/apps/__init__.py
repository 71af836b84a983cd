"""The applications behind the server: WSGI, ASGI with WebSockets, and files."""
