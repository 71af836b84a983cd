"""`replies.bulk_string_in_python` in machine code: one object is made, and no format read."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy


cpdef bytes bulk_string(bytes value):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
    cdef char[20] digits  # those of the largest Py_ssize_t
    cdef int first = sizeof(digits)
    cdef Py_ssize_t rest = size
    while True:
        first -= 1
        digits[first] = c"0" + rest % 10
        rest //= 10
        if rest == 0:
            break
    cdef Py_ssize_t length = sizeof(digits) - first
    cdef bytes reply = PyBytes_FromStringAndSize(NULL, 1 + length + 2 + size + 2)
    cdef char* to = PyBytes_AS_STRING(reply)
    to[0] = c"$"
    memcpy(to + 1, digits + first, length)
    to += 1 + length
    memcpy(to, b"\r\n", 2)
    memcpy(to + 2, PyBytes_AS_STRING(value), size)
    memcpy(to + 2 + size, b"\r\n", 2)
    return reply
