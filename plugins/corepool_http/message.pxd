# The C types of message.py.

cimport cython

cdef object _MEMBER
cdef object _NO_LINES
cdef Py_ssize_t _PIECE_COST

cdef class Section:
    cdef list _headers
    cdef public bint keep_alive
    cdef public object prepared
    cdef dict _once
    cdef object _repeated

    cpdef bint has_any(self, names) except *
    cpdef object single(self, bytes name)
    cpdef list listed(self, bytes name)
    cpdef list tokens(self, bytes name)
    cpdef object joined(self, bytes name)
    cpdef Section with_host(self, bytes host)
    cdef object _set_apart(self)

cdef class Body:
    cdef public list pieces
    cdef public Py_ssize_t size
    cdef public Py_ssize_t received
    cdef public bint complete
    cdef public bint failed
    cdef public object refusal
    cdef public object on_change
    cdef public object trailers

    cpdef object add(self, bytes data)
    cpdef bytes take(self)

@cython.freelist(8)
cdef class RequestLine:
    cdef public str method
    cdef public bint is_head
    cdef public bytes target
    cdef public bytes raw_path
    cdef public bytes path
    cdef public bytes query
    cdef public object prepared

@cython.freelist(8)
cdef class Request:
    cdef public RequestLine line
    cdef public str version
    cdef public Section section
    cdef public bint keep_alive
    cdef public Body body
    cdef public bint expects_continue
    cdef public bint upgrade
