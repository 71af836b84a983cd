# The C types of sorted_sets.py.

cimport cython

from corepool_kv.engine.keyspace cimport Keyspace
from corepool_kv.engine.sorted_sets cimport SortedSet

cpdef zadd(Keyspace db, list args)
@cython.locals(found=SortedSet, rest=list, pairs=list, changed=Py_ssize_t, before=Py_ssize_t)
cdef _zadd(Keyspace db, list args, set options)
cdef bint _set(SortedSet found, bytes member, double score, object before, set options) except -1
