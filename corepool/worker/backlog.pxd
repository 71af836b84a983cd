# The C types of backlog.py.

from corepool.hot.watching cimport Watching
from corepool.system.accepting cimport Accepting
from corepool.worker.counts cimport ConnectionCounts
from corepool.worker.service cimport Service

cdef class BacklogReader:
    cdef object _socket
    cdef object _fd
    cdef Service _service
    cdef ConnectionCounts _counts
    cdef Watching _reactor
    cdef object _loop
    cdef Accepting _accepting
    cdef bint _is_paused
    cdef bint _is_finishing
    cdef bint _is_stopped

    cpdef bint has_room(self) except -1
    cpdef object take(self, int fd, object sockaddr)
    cpdef object on_event(self, object mask)
