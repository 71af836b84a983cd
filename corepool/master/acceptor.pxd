# The C types of acceptor.py.

from corepool.master.dispatch cimport Dispatch
from corepool.system.accepting cimport Accepting

cdef class Acceptor:
    cdef object _bound
    cdef object _loop
    cdef Dispatch _dispatch
    cdef Accepting _accepting
    cdef public object pause
    cdef public object resume
    cdef object _index

    cpdef bint has_room(self) except -1
    cpdef object take(self, int fd, object sockaddr)
    cpdef object _on_event(self, object mask)
    cpdef Py_ssize_t _accept(self) except -1
