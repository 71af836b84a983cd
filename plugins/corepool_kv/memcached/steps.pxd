# The C types of steps.py.

cimport cython

from corepool_kv.engine.keyspace cimport Keyspace

@cython.freelist(8)
cdef class Step:
    cdef readonly object work
    cdef readonly bytes key
    cdef readonly bint writes
    cdef readonly bint is_quiet
    cdef readonly object needs_write
    cdef readonly object written
    cdef readonly Py_ssize_t size
    cdef readonly bint grows
    cdef readonly bint is_about_all
    cdef readonly bytes said

@cython.freelist(8)
cdef class Waiting:
    cdef object _work
    cdef readonly bint is_quiet
    cdef Py_ssize_t _database
    cdef bint _grows
