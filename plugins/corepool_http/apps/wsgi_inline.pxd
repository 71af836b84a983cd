# The C types of wsgi_inline.py.

cimport cython

from corepool_http._clock cimport monotonic
from corepool_http.apps._running_loop cimport hide, show
from corepool_http.apps.wsgi_call cimport Call
from corepool_http.exchange cimport Exchange
from corepool_http.head cimport Head
from corepool_http.responses cimport Heads

# C variables, which the .py file, or its imports, set once.
cdef int _PIECES_PER_TURN
cdef Py_ssize_t IN_ONE_PIECE
cdef object _END
cdef object _NO_PIECES

@cython.freelist(8)
cdef class InlineCall(Call):
    cdef object _slow
    cdef object _pieces
    cdef object _result

    cpdef object begin(self, Exchange exchange, Heads heads, object post, object slow)
    cpdef object call(self, object application, dict environ)
    cpdef object _go_on(self)
    cpdef object _finish(self)
    cpdef object _fail(self, object error)
    cpdef object _end(self)
