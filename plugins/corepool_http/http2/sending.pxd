# The C types of sending.py.

cimport cython

from corepool_http.http2._frames cimport frame_head
from corepool_http.http2.streams cimport BaseStream

# C variables, which the imports of the .py file set once.
cdef bytes NEXT
cdef int CLOSED
cdef int DATA
cdef int ENDED_BY_CLIENT
cdef int ENDED_BY_SERVER
cdef int END_HEADERS
cdef int END_STREAM
cdef int RESET
cdef int SERVER_ENDS

cdef class Sender:
    cdef object _known
    cdef public dict streams
    cdef public dict resets
    cdef list _output
    cdef public Py_ssize_t room
    cdef public Py_ssize_t last_stream
    cdef public Py_ssize_t last_forgotten
    cdef Py_ssize_t _last_goaway
    cdef public Py_ssize_t max_frame
    cdef bint _shrinks_table

    @cython.locals(output=list)
    cpdef bytes take(self)
    cpdef Py_ssize_t room_of(self, BaseStream stream) except -1
    @cython.locals(block=bytes)
    cpdef object send_head(self, BaseStream stream, int status, bytes lines, Py_ssize_t length, bint ends)
    cpdef object send_trailers(self, BaseStream stream, object fields)
    @cython.locals(size=Py_ssize_t, most=Py_ssize_t, at=Py_ssize_t, output=list)
    cpdef object send_data(self, BaseStream stream, bytes data, bint ends)
    cpdef object send_frames(self, BaseStream stream, bytes frames, Py_ssize_t size, bint ends)
    cpdef object reset(self, BaseStream stream, int code)
    cpdef object goaway(self, int code, object last=*)
    cpdef object ping(self, bytes data)
    @cython.locals(size=Py_ssize_t, most=Py_ssize_t, at=Py_ssize_t, output=list, flags=cython.int, kind=cython.int)
    cdef object _send_block(self, BaseStream stream, bytes block, bint ends)
    @cython.locals(state=cython.int)
    cdef object _end(self, BaseStream stream)
    cdef object _close(self, BaseStream stream)
    cdef object _remember(self, Py_ssize_t number, bint by_client)
