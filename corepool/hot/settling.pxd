# The C types of settling.py.

from corepool.hot.ending cimport break_off
from corepool.hot.fields cimport Fields
from corepool.hot.interest cimport park, unwatch, watch
from corepool.hot.sending cimport send_queue

# C variables, which the imports of the .py file set once.
cdef int EPOLLERR
cdef int EPOLLHUP
cdef int EPOLLIN
cdef int EPOLLOUT
cdef int EPOLLRDNORM
cdef int GONE

cpdef bint serve_unusual(Fields conn, int mask) except -1
cpdef object settle(Fields conn)
