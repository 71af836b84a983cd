"""The functions of `clock.py`, as calls in C: without objects they take a third of the time."""

from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec


cpdef long long milliseconds() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_REALTIME, &now)  # never fails with a clock that exists
    return <long long>now.tv_sec * 1000 + now.tv_nsec // 1_000_000


cpdef double seconds() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <double>now.tv_sec + 1e-9 * <double>now.tv_nsec
