# The functions of _clock.pyx, for the compiled modules that use them.

cpdef long long second() noexcept
cpdef double monotonic() noexcept
