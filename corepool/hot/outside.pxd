# The C types of outside.py.

cimport cython

from corepool.hot.ending cimport break_off
from corepool.hot.fields cimport Fields

# C variables, which the imports of the .py file set once.
cdef int GONE
cdef int NOT_SERVING
cdef int READS_PER_EVENT

@cython.locals(was_serving=cython.int)
cpdef object guard(Fields conn, object hook)
cpdef object run(Fields conn, object hook)
cpdef bytes receive(Fields conn, Py_ssize_t limit)
