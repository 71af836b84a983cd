"""The functions of `lmdb_records.py`, in machine code: each makes its result at once, without the parts of it."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from corepool_kv.stores import Record
from corepool_kv.stores._crc cimport crc_of

cdef object _new = tuple.__new__  # the function of a NamedTuple is Python

cdef enum:
    HEADER = 10
    VERSION = 2
    STRING = 115  # "s"
    MIN_DESCRIPTION = 16


cpdef bytes place_of(bytes key):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(key)
    cdef bytes place = PyBytes_FromStringAndSize(NULL, 4 + size)
    cdef unsigned char* to = <unsigned char*>PyBytes_AS_STRING(place)
    _put(to, crc_of(key), 4)
    memcpy(to + 4, PyBytes_AS_STRING(key), size)
    return place


cpdef bytes short_record(unsigned char kind, unsigned long long version, bytes value):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
    cdef bytes record = PyBytes_FromStringAndSize(NULL, HEADER + size)
    cdef unsigned char* to = <unsigned char*>PyBytes_AS_STRING(record)
    to[0] = VERSION
    to[1] = kind
    _put(to + 2, version, 8)
    memcpy(to + HEADER, PyBytes_AS_STRING(value), size)
    return record


cpdef bytes short_value(bytes stored):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(stored)
    cdef const char* data = PyBytes_AS_STRING(stored)
    if size < HEADER or data[0] != VERSION or data[1] != STRING:
        return None
    return PyBytes_FromStringAndSize(data + HEADER, size - HEADER)


cpdef object parsed_short(bytes stored):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(stored)
    cdef const unsigned char* data = <const unsigned char*>PyBytes_AS_STRING(stored)
    cdef unsigned char kind
    cdef unsigned long long version = 0
    cdef int at
    if size < HEADER or data[0] != VERSION:
        return None
    kind = data[1]
    if kind != STRING and (kind not in b"hltzx" or size < HEADER + MIN_DESCRIPTION):
        return None
    for at in range(2, HEADER):
        version = version << 8 | data[at]
    value = PyBytes_FromStringAndSize(<const char*>data + HEADER, size - HEADER)
    return _new(Record, (value, 0, version, 0, kind))


cdef inline void _put(unsigned char* to, unsigned long long number, int size) noexcept nogil:
    """Write a number as `int.to_bytes` does."""
    cdef int at
    for at in range(size):
        to[at] = (number >> 8 * (size - 1 - at)) & 0xFF
