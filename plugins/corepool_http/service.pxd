# The C types of service.py.

from corepool_http.counted cimport Counted
from corepool_http.exchange cimport Exchange
from corepool_http.responses cimport Heads

cdef class Service:
    cdef public object options
    cdef public object worker
    cdef public Heads heads
    cdef public object proxies
    cdef public object notes
    cdef public object exchange
    cdef public object serves_websockets
    cdef public object take_over
    cdef Counted _counted
    cdef object _access_log
    cdef readonly object _application

    cpdef object serve(self, Exchange exchange)
    cpdef object ended(self, Exchange exchange, double now_s)
    cpdef object refuse(self, Exchange exchange, object refusal)
