# The C types of addresses.py.

cdef class Addresses:
    cdef object _name
    cdef int _family
    cdef object _of_sockaddr
    cdef bint _is_pair
    cdef object _local
    cdef object _log

    cpdef object of(self, int fd, bint peer)
