# The C types of asgi_cycle.py.

cimport cython

from corepool_http.apps.asgi_messages cimport bytes_of, head_of, type_of
from corepool_http.apps.waiting cimport Waiting
from corepool_http.exchange cimport Exchange
from corepool_http.head cimport Head
from corepool_http.message cimport Body
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

    @cython.locals(body=Body)
    cpdef object begin(self, Exchange exchange, Heads heads, object tasks)
    @cython.locals(exchange=Exchange, body=Body)
    cpdef object returned(self)
    cpdef bint failed(self, object error) except -1
    @cython.locals(exchange=Exchange)
    cpdef object let_go(self)
    @cython.locals(exchange=Exchange, body=Body)
    cpdef object part(self)
    @cython.locals(exchange=Exchange)
    cpdef bint take(self, object message) except -1
    @cython.locals(exchange=Exchange)
    cpdef object take_start(self, object message)
    @cython.locals(exchange=Exchange, head=Head)
    cpdef object take_body(self, bytes data, object more)
    cdef object _finish(self)
