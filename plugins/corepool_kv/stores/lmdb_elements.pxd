# The C types of lmdb_elements.py.

cdef class LmdbElements:
    cdef object _txn
    cdef object _table

    cpdef get(self, bytes collection, bytes name)
    cpdef put(self, bytes collection, bytes name, bytes value)
    cpdef delete(self, bytes collection, bytes name)
    cpdef bint has_any(self, bytes collection) except -1
