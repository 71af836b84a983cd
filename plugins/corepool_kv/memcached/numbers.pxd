# The C types of numbers.py.

# C variables, which the .py file sets once.
cdef long long _MONTH_S
cdef long long _SIGN
cdef Py_ssize_t _SIGNED_DIGITS
cdef Py_ssize_t _UNSIGNED_DIGITS

cpdef object parse_signed(bytes word, bytes reply=*)
cpdef object parse_unsigned(bytes word, object largest=*, bytes reply=*)
cpdef bytes check_key(bytes key)
cpdef long long last_ms(long long exptime, long long now_ms) except -1
