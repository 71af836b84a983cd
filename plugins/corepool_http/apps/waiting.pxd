# The C types of waiting.py.

# C variables, which the .py file sets once.
cdef int _MAX_ROUNDS
cdef double _MAX_TURN_S

cdef class Waiting:
    cdef public int _calls
    cdef public int _rounds
    cdef public double _asked_at
    cdef public object _loop
    cdef public object _waiter

    cpdef object _expect_to_be_woken(self)
