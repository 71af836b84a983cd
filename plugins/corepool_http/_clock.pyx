"""The functions of `clock.py`, as calls in C: without objects they take a third of the time."""

from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec


cpdef long long second() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_REALTIME, &now)  # never fails with a clock that exists
    return now.tv_sec


cpdef double monotonic() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <double>now.tv_sec + 1e-9 * <double>now.tv_nsec
