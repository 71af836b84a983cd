# The C types of asgi_scopes.py.

cimport cython

from corepool_http.exchange cimport Exchange
from corepool_http.message cimport Request, RequestLine

# C variables, which the .py file, or its imports, set once.
cdef dict HTTP_VERSION

cdef class Scopes:
    cdef bytes _raw_root_path
    cdef str _root_path
    cdef object _worker
    cdef dict _state

    @cython.locals(request=Request, line=RequestLine, path=str, raw_path=bytes, scope=dict, extensions=dict)
    cpdef dict of_request(self, Exchange exchange)
