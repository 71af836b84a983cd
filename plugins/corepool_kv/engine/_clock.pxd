# The functions of _clock.pyx, for the compiled modules that use them.

cpdef long long milliseconds() noexcept
cpdef double seconds() noexcept
