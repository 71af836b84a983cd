# The C types of responses.py.

cimport cython

from corepool_http._clock cimport second
from corepool_http._plain_heads cimport PlainHeads as CompiledPlainHeads
from corepool_http.head cimport Head, has_content

# C variables, which the .py file sets once.
cdef int _MAX_PHRASES
cdef int _MAX_KEPT_STATUS

cdef class Heads:
    cdef bytes _server
    cdef long long _second
    cdef bytes _date
    cdef CompiledPlainHeads _plain
    cdef dict _phrases

    @cython.locals(code=cython.int, phrase=bytes, now=cython.longlong, head=Head)
    cpdef Head of_text(self, object status, object headers)
    @cython.locals(code=cython.int, phrase=bytes, now=cython.longlong, head=Head)
    cpdef Head of_bytes(self, object status, object headers)
    cdef object _begin_second(self, long long now)
