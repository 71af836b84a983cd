# The functions of _lmdb_records.pyx, for the compiled modules that use them.

cpdef bytes place_of(bytes key)
cpdef bytes short_record(unsigned char kind, unsigned long long version, bytes value)
cpdef bytes short_value(bytes stored)
cpdef object parsed_short(bytes stored)
