# The C types of ending.py.

from corepool.hot.fields cimport Fields

# C variables, which the imports of the .py file set once.
cdef int NOT_SERVING
cdef object NOTHING

cpdef object end(Fields conn, object reason)
cpdef object break_off(Fields conn, object reason)
cpdef object forget_output(Fields conn)
