# The C types of wsgi_call.py.

from corepool_http.exchange cimport Exchange
from corepool_http.head cimport Head
from corepool_http.responses cimport Heads

cdef class Call:
    cdef public Exchange _exchange
    cdef public Heads _heads
    cdef public object _post
    cdef public Head _head
    cdef public bint _is_head_sent

    cpdef object call(self, object application, dict environ)
    cpdef Head _need_head(self)
    cpdef object _close(self, object result)
