# The C types of replies.py.

from corepool_kv.redis._bulk_string cimport bulk_string

cpdef bytes encode(object reply, bint resp3)
