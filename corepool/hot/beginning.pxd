# The C types of beginning.py.

cimport cython

from corepool.hot.ending cimport end
from corepool.hot.fields cimport Fields
from corepool.hot.interest cimport admit, wants_input
from corepool.hot.outside cimport run
from corepool.hot.site cimport Site

# C variables, which the imports of the .py file set once.
cdef int EPOLLIN
cdef int NEW
cdef object NOTHING

@cython.locals(site=Site)
cpdef object begin(Fields conn, object hook)
@cython.locals(site=Site)
cpdef object begin_new(Fields conn, object hook)
cpdef object serve_new(Fields conn)
cpdef object begin_lost(Fields conn)
