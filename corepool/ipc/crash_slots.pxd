# The C types of crash_slots.py.

# A C variable, which the .py file sets once.
cdef bytes _CLOSED

cdef class CrashSlots:
    cdef object _map
    cdef public unsigned char[::1] statuses
    cdef public unsigned long long[::1] sending
    cdef unsigned short[::1] _lengths
    cdef object _states

    cpdef object clear(self, Py_ssize_t crash_slot)
    cpdef bint write(self, Py_ssize_t crash_slot, bytes state) except -1
    cpdef list closed(self, Py_ssize_t last)
