# The C types of pending.py.

cimport cython

from corepool_http.http2._frames cimport read_frames

cdef Py_ssize_t HEAD_SIZE

cdef class FilePart:
    cdef int _fd
    cdef long long _offset
    cdef public long long left

    @cython.locals(data=bytes, size=Py_ssize_t)
    cpdef bytes read(self, Py_ssize_t count, Py_ssize_t most, Py_ssize_t number, bint ends)
    cpdef object close(self)

cdef class Pending:
    cdef object _pieces
    cdef public long long size
    cdef public Py_ssize_t held

    cpdef object append(self, bytes data)
    cpdef object append_file(self, object file, long long offset, long long count)
    cpdef FilePart file(self)
    @cython.locals(left=cython.longlong)
    cpdef bytes take_from(self, FilePart part, Py_ssize_t count, Py_ssize_t most, Py_ssize_t number, bint ends)
    @cython.locals(left=Py_ssize_t, data=bytes, taken=list)
    cpdef bytes take(self, long long most)
    cpdef object clear(self)
