# The C types of wsgi.py.

cimport cython

from corepool_http._clock cimport monotonic
from corepool_http.apps._running_loop cimport hide, show
from corepool_http.apps.wsgi_environ cimport Environments
from corepool_http.apps.wsgi_inline cimport InlineCall
from corepool_http.exchange cimport Exchange
from corepool_http.message cimport Request
from corepool_http.responses cimport Heads

cdef class Wsgi:
    cdef object _application
    cdef Heads _heads
    cdef readonly Environments _environments
    cdef object _call_soon
    cdef object _mailbox
    cdef object _threads
    cdef object _slow
    cdef double _slow_s

    @cython.locals(request=Request)
    cpdef object serve(self, Exchange exchange)
    @cython.locals(inline=InlineCall, began_s=double, seconds=double)
    cpdef object _begin(self, Exchange exchange, object content)
