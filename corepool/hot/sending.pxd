# The C types of sending.py.

cimport cython

from corepool.hot._io cimport write
from corepool.hot.ending cimport break_off, end
from corepool.hot.fields cimport Fields
from corepool.hot.interest cimport watch
from corepool.hot.outside cimport guard
from corepool.hot.site cimport Site

# C variables, which the imports of the .py file set once.
cdef int EPOLLIN
cdef int GONE
cdef int SENDS_PER_EVENT
cdef object NOTHING

cpdef object enqueue(Fields conn, object piece)
@cython.locals(site=Site, piece=bytes, size=Py_ssize_t, sent=Py_ssize_t)
cpdef object send_output(Fields conn)
@cython.locals(site=Site, sent=Py_ssize_t, was_blocked=double, progress=bint)
cpdef object send_queue(Fields conn)
@cython.locals(sent=Py_ssize_t)
cdef bint _send_straight(Fields conn, object layers) except -1
@cython.locals(sent=Py_ssize_t, is_clear=bint)
cdef Py_ssize_t _send_piece(Fields conn) except -1
cpdef object fail(Fields conn, object layers, object error)
