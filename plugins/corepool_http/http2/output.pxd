# The C types of output.py.

cimport cython

from corepool.spec.connection_base cimport ConnectionBase
from corepool_http.http2.codec cimport Codec
from corepool_http.http2.deadlines cimport Deadlines
from corepool_http.http2.streams cimport BaseStream
from corepool_http.http2.turns cimport Turns

cdef Py_ssize_t _HIGH_WATER
cdef Py_ssize_t _TURN
cdef Py_ssize_t _ALONE
cdef int _ROUNDS

cdef class Speaker(BaseStream):
    cdef public double blocked_at

    cpdef object emit_head(self)
    cpdef Py_ssize_t emit(self, Py_ssize_t most) except -1
    cpdef object on_room(self)

cdef class SharedOutput:
    cdef ConnectionBase _conn
    cdef Codec _codec
    cdef object _service
    cdef Deadlines _deadlines
    cdef list _heads
    cdef Turns _turns
    cdef dict _waiting
    cdef dict _blocked
    cdef list _relieved
    cdef public Py_ssize_t made
    cdef public double moved_at
    cdef bint _is_due
    cdef public bint is_held

    cpdef bint has_room(self) except -1
    cpdef object touch(self)
    cpdef object add_head(self, Speaker stream)
    @cython.locals(number=Py_ssize_t)
    cpdef object add(self, Speaker stream)
    cpdef object set_priority(self, Speaker stream)
    cpdef object block(self, Speaker stream)
    cpdef object unblock(self, Speaker stream)
    @cython.locals(blocked=dict, stream=Speaker)
    cpdef object unblock_all(self)
    cpdef object relieve(self, Speaker stream)
    @cython.locals(number=Py_ssize_t)
    cpdef object remove(self, Speaker stream)
    @cython.locals(data=bytes)
    cpdef object flush(self)
    @cython.locals(
        waiting=dict, turns=Turns, heads=list, stream=Speaker, relieved=list, before=Py_ssize_t, was_held=bint
    )
    cdef object _make(self)
