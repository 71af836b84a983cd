# The C types of interest.py.

cimport cython

from corepool.hot.ending cimport break_off
from corepool.hot.fields cimport Fields
from corepool.hot.site cimport Site

# C variables, which the imports of the .py file set once.
cdef int EPOLLIN
cdef int EPOLLOUT
cdef int EPOLLRDNORM
cdef int GONE
cdef int NEW
cdef int PARKED

cpdef bint wants_input(Fields conn) except -1
@cython.locals(reading=bint, mask=cython.int)
cpdef object watch(Fields conn)
cpdef object admit(Fields conn)
@cython.locals(site=Site)
cdef object _add(Fields conn, int mask)
cpdef object park(Fields conn)
@cython.locals(mask=cython.int)
cpdef object unwatch(Fields conn)
cpdef object serve_later(Fields conn, object layers)
cpdef bint has_input(Fields conn) except -1
