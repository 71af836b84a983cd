# The C types of hashes.py.

cimport cython

from corepool_kv.engine.hashes cimport Hash
from corepool_kv.engine.keyspace cimport Keyspace

cpdef hset(Keyspace db, list args)
@cython.locals(found=Hash)
cpdef hget(Keyspace db, list args)
@cython.locals(found=Hash, at=Py_ssize_t, added=Py_ssize_t)
cdef _set(Keyspace db, list args, str command)
