# The functions of _wire.pyx, for the compiled modules that use them.

cpdef list words_of(bytes data, Py_ssize_t begin, Py_ssize_t end)
cpdef bytes value_reply(bytes key, unsigned int flags, bytes value, bytes end)
