"""`reactor.PythonReactor` in machine code: events come from epoll_wait(2) as they are, without lists and tuples."""

from cpython.dict cimport PyDict_GetItem
from cpython.exc cimport PyErr_CheckSignals, PyErr_SetFromErrno
from cpython.object cimport PyObject
from libc.errno cimport EINTR, errno
from libc.limits cimport INT_MAX
from libc.math cimport INFINITY, ceil
from libc.stdint cimport uint32_t, uint64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from corepool.hot.fields cimport Fields
from corepool.hot.watching cimport Watching

from corepool.forked import end_fork
from corepool.hot.watching import MAX_EVENTS

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        int fd
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_wait(int epfd, epoll_event* events, int maxevents, int timeout)
    int epoll_ctl(int epfd, int op, int fd, epoll_event* event)
    int EPOLL_CTL_ADD
    int EPOLL_CTL_MOD
    int EPOLL_CTL_DEL

cdef enum:
    ROOM = 256

assert MAX_EVENTS == ROOM


cdef inline double _monotonic() noexcept nogil:
    """`time.monotonic`, to the last bit: its values are compared with those."""
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <double>(<long long>now.tv_sec * 1_000_000_000 + now.tv_nsec) / 1e9


cdef class Reactor(Watching):
    """See `corepool.hot.reactor.PythonReactor`."""

    cdef epoll_event _events[ROOM]

    def poll(self, timeout=None):
        """Poll once, serve our sources, return asyncio's events."""
        cdef double now = _monotonic()
        return self._serve(now, INFINITY if timeout is None else now + <double>timeout)

    def poll_for(self, ready, list timers not None, timeout):
        """See `corepool.hot.reactor.PythonReactor`: here the end of a pass and the next are one reading of the clock."""
        cdef Py_ssize_t count = len(timers)
        cdef double now = _monotonic()
        cdef double due = INFINITY if timeout is None else now + <double>timeout
        cdef list others
        while True:
            others = self._serve(now, due)
            if others or ready or len(timers) != count:
                return others
            now = _monotonic()
            if now >= due:
                return others

    cdef list _serve(self, double now, double due):
        """Poll once, until `due` at most."""
        cdef list others = []
        cdef dict sources = self._sources
        cdef PyObject* found
        cdef object source
        cdef int count, place, fd
        if self.unsent or self._to_close or self._at_batch_end:
            self._end_batch()
            due = now = _monotonic()
        elif self.unread:
            due = now
        self.busy_s += now - self.now
        count = self._wait(due - now)
        self.now = _monotonic()
        self.gathers = count > 1
        self._gathered_due = self.now + self.gather_s
        for place in range(count):
            fd = self._events[place].data.fd
            found = PyDict_GetItem(sources, fd)
            if found is NULL:
                source = self.event_of(fd, self._events[place].events)
                if source is not None:
                    others.append(source)
                continue
            source = <object>found
            try:
                if isinstance(source, Fields):
                    (<Fields>source).on_event(self._events[place].events)
                else:
                    source.on_event(self._events[place].events)
            except BaseException:  # as in Python: `guards.HOOK_ERRORS`
                source.on_failure()
            if self.is_abandoned:
                end_fork()
            if self.gathered and _monotonic() >= self._gathered_due:
                self._send_gathered()
        if self.unread:
            self._serve_unread()
        self.gathers = False
        if self.gathered:
            self._send_gathered()
        if self.unsent or self._to_close or self._at_batch_end:
            self._end_batch()
        return others

    cpdef object add(self, int fd, object source, unsigned int mask):
        self._control(EPOLL_CTL_ADD, fd, mask)
        self._sources[fd] = source

    cpdef object change(self, int fd, unsigned int mask):
        self._control(EPOLL_CTL_MOD, fd, mask)

    cpdef object remove(self, int fd):
        del self._sources[fd]
        self._control(EPOLL_CTL_DEL, fd, 0)

    cdef int _control(self, int operation, int fd, unsigned int mask) except -1:
        cdef epoll_event event
        event.events = mask
        event.data.u64 = 0
        event.data.fd = fd
        # The GIL is kept: the call waits for nothing.
        if self.epoll_fd >= 0 and epoll_ctl(self.epoll_fd, operation, fd, &event) < 0:
            PyErr_SetFromErrno(OSError)
        return 0

    cdef int _wait(self, double seconds) except -1:
        """Return the number of events; 0 also if a signal has come."""
        cdef int count, milliseconds
        cdef int epoll_fd = self.epoll_fd
        if epoll_fd < 0:
            self._poll(0, ROOM)  # raises, or ends this process
            return 0
        if seconds == INFINITY:
            milliseconds = -1
        else:
            seconds = ceil(max(seconds, 0.0) * 1000)
            milliseconds = INT_MAX if seconds > INT_MAX else <int>seconds
        with nogil:
            count = epoll_wait(epoll_fd, self._events, ROOM, milliseconds)
        if count < 0 and errno != EINTR:  # taking the GIL leaves it as it is
            PyErr_SetFromErrno(OSError)
        PyErr_CheckSignals()
        return max(count, 0)
