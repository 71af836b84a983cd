# The C types of hashes.py.

from corepool_kv.engine.named cimport Named

cdef class Hash(Named):
    pass
