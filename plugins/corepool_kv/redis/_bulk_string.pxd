# The function of _bulk_string.pyx, for the compiled modules that use it.

cpdef bytes bulk_string(bytes value)
