# The C types of asgi.py.

from corepool_http.apps.asgi_scopes cimport Scopes
from corepool_http.exchange cimport Exchange

cdef class Asgi:
    cdef object _service
    cdef object _options
    cdef object _application
    cdef object _loop
    cdef object _heads
    cdef object _tasks
    cdef object _lifespan
    cdef Scopes _scopes
    cdef object _requests
    cdef bint _notes

    cpdef object serve(self, Exchange exchange)
    cdef object _serve_websocket(self, Exchange exchange)
