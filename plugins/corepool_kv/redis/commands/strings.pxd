# The C types of strings.py.

from corepool_kv.engine.keyspace cimport Keyspace

cpdef get(Keyspace db, list args)
cpdef set_(Keyspace db, list args)
