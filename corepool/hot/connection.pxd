# The C types of connection.py.

cimport cython

from corepool.hot._io cimport read
from corepool.hot.beginning cimport serve_new
from corepool.hot.ending cimport break_off, end
from corepool.hot.fields cimport Fields
from corepool.hot.interest cimport watch
from corepool.hot.sending cimport enqueue, send_output
from corepool.hot.settling cimport serve_unusual, settle
from corepool.hot.timeouts cimport earliest_deadline

# C variables, which the imports of the .py file set once.
cdef int EPOLLIN
cdef int GONE
cdef Py_ssize_t MAX_GATHERED
cdef int NEW
cdef int NOT_SERVING
cdef int READS_PER_EVENT
cdef object NOTHING
cdef object _CLOSED

cdef class Connection(Fields):
    @cython.locals(left=cython.int, count=Py_ssize_t)
    cpdef bytes recv(self, Py_ssize_t limit=*)
