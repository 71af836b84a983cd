# The C types of access_clock.py.

from corepool_kv.stores._crc cimport crc_of

# C variables, which the .py file sets once.
cdef long long _UNIT_BITS
cdef long long _WRAP
cdef long long _HALF

cdef class AccessClock:
    cdef object _memory
    cdef unsigned int[:] _cells
    cdef Py_ssize_t _mask

    cpdef touch(self, bytes key, long long now_ms)
    cpdef long long idle_ms(self, bytes key, long long now_ms) except -1
