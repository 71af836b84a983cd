# The C types of pending.py.

cimport cython

cdef class FilePart:
    cdef int _fd
    cdef long long _offset
    cdef public long long left

    @cython.locals(data=bytes)
    cpdef bytes read(self, long long most)
    cpdef object close(self)

cdef class Pending:
    cdef object _pieces
    cdef public long long size
    cdef public Py_ssize_t held

    cpdef object append(self, bytes data)
    cpdef object append_file(self, object file, long long offset, long long count)
    @cython.locals(left=Py_ssize_t, data=bytes, part=FilePart, taken=list)
    cpdef bytes take(self, long long most)
    cpdef object clear(self)
