# The C types of lookups.py.

cdef class Lookups:
    cdef public long long hits
    cdef public long long misses
