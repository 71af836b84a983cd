# The C types of streams.py.

cimport cython

from corepool_kv.engine.keyspace cimport Keyspace
from corepool_kv.engine.streams cimport Stream
from corepool_kv.redis.commands.stream_words cimport make_id, parse_options, show_id

@cython.locals(found=Stream, fields=list, size=Py_ssize_t)
cpdef xadd(Keyspace db, list args)
cdef _choose_id(Keyspace db, Stream found, object wanted, bint is_open)
