# The C types of lists.py.

cimport cython

from corepool_kv.engine.keyspace cimport Keyspace
from corepool_kv.engine.lists cimport List

cpdef lpush(Keyspace db, list args)
cpdef rpush(Keyspace db, list args)
cpdef lpop(Keyspace db, list args)
cpdef rpop(Keyspace db, list args)
