# The C types of driver.py.

cimport cython

from corepool_http._clock cimport monotonic
from corepool_http.http2.carrier cimport Carrier
from corepool_http.http2.codec cimport Codec
from corepool_http.http2.deadlines cimport Deadlines
from corepool_http.http2.request_stream cimport RequestStream
from corepool_http.http2.streams cimport BaseStream
from corepool_http.service cimport Service

# C variables, which the imports of the .py file set once.
cdef int CONTENT
cdef int LOST
cdef int PRIORITY
cdef int REQUEST
cdef int ROOM
cdef int _REQUESTS_PER_TURN

cdef class Driver(Carrier):
    cdef public dict streams
    cdef object _client
    cdef object _on_failure
    cdef object _unfinished
    cdef object _unserved
    cdef bint _is_last
    cdef bint _is_leaving

    @cython.locals(data=bytes)
    cpdef object receive(self)
    @cython.locals(codec=Codec, served=cython.int, found=list, stream=BaseStream)
    cpdef object take(self, bytes data)
    cdef object _expect_head(self, bint has_moved)
    cdef object _after(self, Codec codec)
    @cython.locals(mine=RequestStream, news=cython.int)
    cdef bint _meet(self, BaseStream stream) except -1
    @cython.locals(service=Service)
    cdef object _serve(self, RequestStream stream)
    cdef bint _is_full(self, Py_ssize_t unfinished) except -1
    @cython.locals(stream=RequestStream)
    cdef object _peer_ended(self)
    @cython.locals(data=bytes)
    cpdef object room(self)
    @cython.locals(mine=RequestStream)
    cpdef object forget(self, BaseStream stream)
    @cython.locals(mine=RequestStream)
    cpdef object lose(self, BaseStream stream)
    cdef object _be_idle(self)
    cdef object _fail(self)
    cpdef object gone(self)
    cpdef object leave(self)
    cdef object _end_leaving(self)
    cdef object _say_last(self)
    @cython.locals(deadlines=Deadlines, now=double, due=double, stream=RequestStream)
    cpdef object on_deadline(self)
