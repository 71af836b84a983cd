# The C types of exchange.py.

cimport cython

from corepool_http.head cimport Head, judge_final
from corepool_http.message cimport Request
from corepool_http.stream_base cimport StreamBase

@cython.freelist(8)
cdef class Exchange:
    cdef public Request request
    cdef public object client
    cdef public double began_s
    cdef public int status
    cdef public long long sent
    cdef public bint started
    cdef public bint ended
    cdef public bint closes
    cdef public bint is_refused
    cdef public bint is_head
    cdef public object on_gone
    cdef public object on_room
    cdef StreamBase _stream
    cdef object _left
    cdef Head _head
    cdef bint _is_empty
    cdef bint _is_cut

    cpdef object respond(self, Head head, object content)
    cpdef object start(self, Head head)
    cpdef object write(self, object data)
    cpdef object finish(self, object trailers=*)
    cpdef object fail(self, object status=*, object headers=*, object reason=*)
    cpdef object abandon(self)
    cpdef object call(self, object callback)
    cdef object _send_head(self)
    cdef object _release(self)
    cdef Py_ssize_t _room_for(self, Py_ssize_t size) except -1
    cdef object _leave_out(self)
