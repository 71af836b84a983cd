from corepool_http.apps.asgi_requests import RequestsInPython as Requests

__all__ = ["Requests"]
