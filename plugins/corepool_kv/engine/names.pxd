# The C types of names.py.

from corepool_kv.stores._crc cimport crc_of

cpdef bytes shorten(bytes member)
cpdef bytes name_of(bytes member)
cpdef bytes pack(bytes member, bytes value)
