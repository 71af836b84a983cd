# The C types of client.py.

cimport cython

cpdef str decimal(int port)

@cython.freelist(8)
cdef class Client:
    cdef public object host
    cdef public object port
    cdef public object server_host
    cdef public object server_port
    cdef public object scheme
    cdef public bint is_trusted
    cdef public object listener
    cdef public object tls
    cdef public object proxy_header
    cdef public object prepared
    cdef public object tls_prepared

    cdef object _take(self, object facts)
