# The C types of sorted_sets.py.

from corepool_kv.engine.named cimport Named
from corepool_kv.engine.names cimport pack, shorten

cdef class SortedSet(Named):
    cpdef score(self, bytes member)
    cpdef add(self, bytes member, double score, object before)
