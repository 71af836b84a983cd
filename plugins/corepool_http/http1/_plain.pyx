"""`plain.split_in_python`, in machine code."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject
from libc.string cimport memcmp

ctypedef const unsigned char* Place

cdef unsigned char[256] _IN_TARGET
cdef unsigned char[256] _IN_NAME
cdef unsigned char[256] _IN_VALUE
cdef int _byte
for _byte in range(256):
    _IN_VALUE[_byte] = 0x20 <= _byte < 0x7F
    _IN_NAME[_byte] = _byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"
    _IN_TARGET[_byte] = _IN_NAME[_byte] or _byte in b"._~!$&'()*+,;=:@%/?"

cdef tuple _METHODS = ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")
cdef tuple _BEGINNINGS = tuple(method.encode() + b" /" for method in _METHODS)


def split(bytes data not None, names):
    """See `plain.split_in_python`. Every read is bounded: `at < end` stands before each."""
    cdef Place begin = <Place>PyBytes_AS_STRING(data)
    cdef Place end = begin + PyBytes_GET_SIZE(data)
    cdef Place at = begin
    cdef Place start
    cdef str method = None
    cdef bytes target, name, value, text
    cdef list fields = []
    cdef dict known = names.known
    cdef PyObject* found
    cdef Py_ssize_t size
    cdef int place
    for place in range(7):
        text = <bytes>_BEGINNINGS[place]
        size = PyBytes_GET_SIZE(text)
        if end - at >= size and memcmp(at, PyBytes_AS_STRING(text), size) == 0:
            method = <str>_METHODS[place]
            at += size - 1
            break
    if method is None:
        return None
    start = at
    while at < end and _IN_TARGET[at[0]]:
        at += 1
    if end - at < 11 or memcmp(at, b" HTTP/1.1\r\n", 11) != 0:
        return None
    target = PyBytes_FromStringAndSize(<const char*>start, at - start)
    at += 11
    while at < end and at[0] != c"\r":
        start = at
        while at < end and _IN_NAME[at[0]]:
            at += 1
        if at == start or end - at < 5 or at[0] != c":" or at[1] != c" " or at[2] == c" ":
            return None
        name = PyBytes_FromStringAndSize(<const char*>start, at - start)
        at += 2
        start = at
        while at < end and _IN_VALUE[at[0]]:
            at += 1
        if at == start or end - at < 2 or at[0] != c"\r" or at[1] != c"\n" or (at - 1)[0] == c" ":
            return None
        value = PyBytes_FromStringAndSize(<const char*>start, at - start)
        at += 2
        found = PyDict_GetItem(known, name)
        name = names.lower(name) if found is NULL else <bytes>found
        fields.append((name, value))
    if not fields or end - at < 2 or at[1] != c"\n":
        return None
    return method, target, fields, at + 2 - begin
