# The C types of turns.py.

cimport cython

cdef class Level:
    cdef public set serial
    cdef public dict shared
    cdef public bint is_turn_of_serial

    cpdef object next(self)

cdef class Turns:
    cdef dict _levels
    cdef dict _places

    @cython.locals(level=Level, place=cython.int)
    cpdef object add(self, Py_ssize_t number, int urgency, bint shares)
    @cython.locals(level=Level)
    cpdef object discard(self, Py_ssize_t number)
    @cython.locals(levels=dict, level=Level)
    cpdef object next(self)
