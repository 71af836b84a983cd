# The C types of fields.py.

cimport cython

cdef bytes _NAME
cdef bytes _VALUE
cdef bytes _WHITES

@cython.locals(rest=bytes)
cpdef object fault_of(bytes name, bytes value)
cpdef object fault_of_value(bytes value)
