# The C types of new_connections.py.

cdef class NewConnections:
    cdef readonly object socket
    cdef readonly Py_ssize_t connections
    cdef readonly object crash_slots

    cpdef bytes pack(self)
