# The C types of asgi_cycle.py.

cimport cython

from corepool_http.apps.waiting cimport Waiting
from corepool_http.exchange cimport Exchange
from corepool_http.head cimport Head
from corepool_http.responses cimport Heads

cdef class Cycle(Waiting):
    cdef public object task
    cdef object _tasks
    cdef Exchange _exchange
    cdef Heads _heads
    cdef Head _head
    cdef int _ignored
    cdef object _trailers
    cdef bint _body_is_over
    cdef bint _only_trailers_follow
    cdef bint _is_complete
    cdef bint _was_told

    cpdef object returned(self)
    cpdef bint failed(self, object error) except -1
    cpdef object let_go(self)
    @cython.locals(exchange=Exchange)
    cpdef object part(self)
    @cython.locals(exchange=Exchange)
    cpdef bint take(self, object message) except -1
    cdef object _finish(self)
