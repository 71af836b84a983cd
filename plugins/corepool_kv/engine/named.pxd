# The C types of named.py.

from corepool_kv.engine.collection cimport Collection
from corepool_kv.engine.names cimport name_of, pack

cdef class Named(Collection):
    cpdef get(self, bytes member)
    cpdef bint put(self, bytes member, bytes value) except -1
