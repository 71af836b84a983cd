# The C types of driver.py.

cimport cython

from corepool.spec.connection_base cimport ConnectionBase
from corepool_http._clock cimport monotonic
from corepool_http.client cimport Client
from corepool_http.exchange cimport Exchange
from corepool_http.head cimport Head
from corepool_http.http1.codec cimport RequestParser
from corepool_http.http1.deadlines cimport Deadlines
from corepool_http.http1.ending cimport end_connection, goes_on_behind
from corepool_http.http1.framing cimport encode_head
from corepool_http.message cimport Body, Request
from corepool_http.responses cimport Heads
from corepool_http.service cimport Service
from corepool_http.stream_base cimport StreamBase

# C variables, which the .py file, or its imports, set once.
cdef object CHUNKED
cdef object CLOSE
cdef object NONE
cdef object LAST_CHUNK
cdef object CONTINUE
cdef Py_ssize_t MAX_BUFFERED
cdef Py_ssize_t _REQUESTS_PER_TURN

@cython.freelist(8)
cdef class Driver(StreamBase):
    cdef public Service service
    cdef public Heads heads
    cdef public ConnectionBase conn
    cdef public object output
    cdef public RequestParser parser
    cdef public Exchange current
    cdef public object tunnel_user
    cdef object _framing
    cdef public bint leaving
    cdef bint _is_serving
    cdef public object client
    cdef Deadlines _deadlines

    cpdef object receive(self)
    cdef bint _is_taken_over(self, bytes data) except *
    @cython.locals(request=Request)
    cpdef object take(self, bytes data)
    cpdef object _serve_ready(self)
    @cython.locals(exchange=Exchange)
    cpdef object _serve(self, Request request)
    @cython.locals(client=Client)
    cdef object _client_of(self, Request request)
    @cython.locals(body=Body)
    cpdef object _wait_for_more(self)
    @cython.locals(exchange=Exchange, goes_on=bint)
    cpdef object begin(self, Head head, object size, bytes content)
    cpdef object send(self, bytes data)
    cpdef object refuse(self, refusal)
    @cython.locals(now_s=double, due=double, exchange=Exchange)
    cpdef object end(self)
