# The C types of ending.py.

cimport cython

from corepool.spec.connection_base cimport ConnectionBase
from corepool_http.http1.codec cimport RequestParser
from corepool_http.message cimport Body, Request

cdef double _SILENCE_S

@cython.locals(body=Body)
cpdef bint goes_on_behind(Request request, RequestParser parser) except *
cpdef object end_connection(ConnectionBase conn, RequestParser parser)
