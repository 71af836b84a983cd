# The C types of connection_base.py. Other packages may cimport this file and no other of corepool.

cdef class ConnectionBase:
    cdef public object session
    cdef public object reason
    cdef public bint half_open
    cdef public bint busy
    cdef public bint pinned
    cdef public bint eof

    cpdef bytes recv(self, Py_ssize_t limit=*)
    cpdef object send(self, object data)
    cpdef object send_now(self)
    cpdef object close(self)
