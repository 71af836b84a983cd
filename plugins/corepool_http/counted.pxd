# The C types of counted.py.

cimport cython

from corepool_http.exchange cimport Exchange

# C variables, which the .py file sets once.
cdef double _FAST_S
cdef dict _FIRST
cdef int _OTHER

cdef class Counted:
    cdef public long long served
    cdef public long long refused
    cdef object _worker
    cdef object _cells
    cdef long long _known
    cdef long long _unmeasured
    cdef list _counts
    cdef list _slow
    cdef double _seconds

    @cython.locals(status=cython.int, first=cython.int, seconds=double)
    cpdef object ended(self, Exchange exchange, double now_s)
    cpdef object count_abuse(self, object kind)
