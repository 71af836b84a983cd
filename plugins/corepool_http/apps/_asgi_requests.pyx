# cython: auto_pickle=False
# As in Python, nothing here can be copied: not a call, not the application that it is of.
"""`asgi_requests.RequestsInPython`, in machine code: a request that never waits needs no task of its own.

On Python 3.11 its first step is made as that of a task that is kept for the next request, if this one has neither waited
nor left a trace on it: to make a task costs more than all else that is done for a short request. From 3.12 on, asyncio
itself makes the first step of a task, at once.
"""

cimport cython
from cpython.dict cimport PyDict_DelItem, PyDict_GetItem, PyDict_SetItem
from cpython.object cimport PyObject
from libc.math cimport INFINITY
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from corepool_http.apps._asgi_calls cimport RECEIVE, SEND
from corepool_http.apps._coroutine cimport RETURNED, YIELDED, Coroutine
from corepool_http.apps.asgi_cycle cimport Cycle
from corepool_http.exchange cimport Exchange
from corepool_http.responses cimport Heads

import asyncio
import sys
from asyncio import tasks as _asyncio_tasks

cdef extern from "Python.h":
    PyObject* Py_NewRef(object)
    Py_ssize_t Py_REFCNT(object)
    PyObject** PyObject_GET_WEAKREFS_LISTPTR(object)
    PyObject** _PyObject_GetDictPtr(object)
    object PyContext_CopyCurrent()
    int PyContext_Enter(object) except -1
    int PyContext_Exit(object) except -1
    int PyCoro_CheckExact(object)
    int PyIter_Send(object, object, PyObject**) except -1
    object PyMethod_New(object, object)
    void Py_CLEAR(PyObject*)

cdef bint _IS_EAGER = sys.version_info >= (3, 12)
cdef dict _CURRENT = {} if _IS_EAGER else _asyncio_tasks._current_tasks
"""The running task of each loop, as asyncio of 3.11 keeps it."""


cdef double _monotonic() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec + now.tv_nsec * 1e-9


async def _awaited(awaitable):
    return await awaitable


@cython.final
cdef class _Run(Coroutine):
    """The application serving a request: the coroutine of its task."""

    cdef Requests _requests
    cdef Cycle _cycle
    """None: nothing is to be done, or no more."""
    cdef object _scope
    cdef object _context
    """In which it runs; None: in that of its task."""
    cdef object _first
    """What it waits for since its first step, of which its task does not know yet."""
    cdef bint _has_waited
    """Its task does not know of that."""

    cdef int resume(self, object value, PyObject** result) except -1:
        if self._has_waited:
            self._has_waited = False
            result[0] = Py_NewRef(self._first)
            self._first = None
            return YIELDED
        if self._cycle is None:
            result[0] = Py_NewRef(None)
            return RETURNED
        return self._step(value, result)

    cdef int _step(self, object value, PyObject** result) except -1:
        """Run the application until it waits, or ends."""
        cdef int how
        cdef object context = self._context
        try:
            if context is not None:
                PyContext_Enter(context)
            try:
                if self.inner is None:
                    self.inner = self._called()
                how = PyIter_Send(self.inner, value, result)
            finally:
                if context is not None:
                    PyContext_Exit(context)
        except BaseException as error:  # one request is all that it costs
            self._end(error)
        else:
            if how == YIELDED:
                return YIELDED
            Py_CLEAR(result[0])
            self._end(None)
        result[0] = Py_NewRef(None)
        return RETURNED

    cdef object _called(self):
        """Call the application."""
        cdef object scope = self._scope
        cdef object made
        self._scope = None
        made = self._requests._application(
            scope, PyMethod_New(RECEIVE, self._cycle), PyMethod_New(SEND, self._cycle)
        )
        return made if PyCoro_CheckExact(made) else _awaited(made)

    cdef object _end(self, object error):
        """Answer for the application.

        :raises BaseException: `error`, if it has to end its task.
        """
        cdef Cycle cycle = self._cycle
        if cycle is None:
            return  # the application has run its own coroutine, which has ended meanwhile
        try:
            if error is None:
                if not cycle._exchange.ended:
                    cycle.returned()
            elif cycle.failed(error):
                raise error
        finally:
            self._cycle = self.inner = self._context = self._scope = None
            if cycle.task is not None:
                self._requests._tasks.end(cycle.task)
            cycle.let_go()

    cdef object thrown(self, object error):
        cdef object context = self._context
        cdef object waits_for
        if self._has_waited:
            # Its task was cancelled in the first step: as asyncio does it, by way of that which is waited for.
            self._has_waited = False
            waits_for, self._first = self._first, None
            if asyncio.isfuture(waits_for) and isinstance(error, asyncio.CancelledError) and waits_for.cancel(*error.args):
                return waits_for
        if self._cycle is None:
            raise error
        try:
            if context is not None:
                PyContext_Enter(context)
            try:
                if self.inner is None:
                    self.inner = self._called()
                waits_for = self.inner.throw(error)
            finally:
                if context is not None:
                    PyContext_Exit(context)
        except StopIteration:
            self._end(None)
        except BaseException as raised:
            self._end(raised)
        else:
            return waits_for
        raise StopIteration

    cdef object closed(self):
        cdef object error = GeneratorExit()
        if self._cycle is None:
            return
        if self.inner is not None:
            try:
                self.inner.close()
            except BaseException as raised:  # the application's, or that it has gone on
                error = raised
        self._end(error)

    def __del__(self):
        self.closed()

    @property
    def __name__(self):
        return getattr(self.inner, "__name__", "run")

    @property
    def __qualname__(self):
        return getattr(self.inner, "__qualname__", "run")


@cython.final
cdef class Requests:
    """See `asgi_requests.RequestsInPython`."""

    cdef object _application
    cdef Heads _heads
    cdef object _loop
    cdef object _tasks
    cdef object _steps
    cdef double _limit_s
    cdef _Run _spare
    """Of the task below, between two requests."""
    cdef object _task
    """A task that no application has seen, or that has left no trace of it."""
    cdef object _first_step
    """The callback that begins it, taken from the loop."""
    cdef object _name

    def __init__(self, application, Heads heads, loop, tasks):
        self._application = application
        self._heads = heads
        self._loop = loop
        self._tasks = tasks
        self._steps = tasks.steps
        self._limit_s = INFINITY if self._steps is None else self._steps.limit_s

    cpdef object serve(self, Exchange exchange, scope):
        cdef Cycle cycle = Cycle.__new__(Cycle)
        cdef double began = _monotonic()
        cdef double seconds
        cycle._loop = self._loop
        cycle.begin(exchange, self._heads, self._tasks)
        if _IS_EAGER or PyDict_GetItem(_CURRENT, self._loop) is not NULL or self._loop._thread_id is None:
            self._start(cycle, scope)
        else:
            self._run(cycle, scope)
        seconds = _monotonic() - began
        if seconds > self._limit_s:
            self._steps.first(exchange, seconds)

    cdef object _start(self, Cycle cycle, scope):
        """Have a task run it: from 3.12 on, at once."""
        cdef _Run run = self._new_run()
        cdef object task
        run._cycle = cycle
        run._scope = scope
        if _IS_EAGER:
            task = asyncio.Task(run, loop=self._loop, eager_start=True)
        else:
            task = asyncio.Task(run, loop=self._loop)
        if run._cycle is not None:
            self._goes_on(cycle, task)

    cdef object _goes_on(self, Cycle cycle, task):
        cycle.task = task
        self._tasks.running[task] = cycle._exchange

    cdef object _run(self, Cycle cycle, scope):
        """Make the first step."""
        cdef _Run run
        cdef PyObject* result = NULL
        cdef int how
        cdef Py_ssize_t of_run, of_task
        cdef object task, first_step
        if self._spare is None:
            self._make_spare()
            if self._spare is None:
                self._start(cycle, scope)
                return
        # An application that runs the loop inside of its own step has the next request served in here.
        run, self._spare = self._spare, None
        task, self._task = self._task, None
        first_step, self._first_step = self._first_step, None
        of_run, of_task = Py_REFCNT(run), Py_REFCNT(task)
        run._cycle = cycle
        run._scope = scope
        run._context = PyContext_CopyCurrent()
        PyDict_SetItem(_CURRENT, self._loop, task)
        try:
            how = run._step(None, &result)
        finally:
            PyDict_DelItem(_CURRENT, self._loop)
        if how == RETURNED:
            Py_CLEAR(result)
            if Py_REFCNT(run) == of_run and Py_REFCNT(task) == of_task and self._is_untouched(task):
                self._spare, self._task, self._first_step = run, task, first_step
                return
        elif how == YIELDED:
            run._has_waited = True
            run._first = <object>result
            Py_CLEAR(result)
            self._goes_on(cycle, task)
        _asyncio_tasks._register_task(task)
        task._log_destroy_pending = True
        first_step._run()

    cdef object _make_spare(self):
        cdef _Run run = self._new_run()
        cdef object task = asyncio.Task(run, loop=self._loop)
        cdef object step = self._loop._ready.pop()
        if getattr(step._callback, "__self__", None) is not task:
            self._loop._ready.append(step)  # another thread has called call_soon_threadsafe meanwhile
            return
        _asyncio_tasks._unregister_task(task)  # nothing may wait for a task that may never run
        task._log_destroy_pending = False
        self._spare = run
        self._first_step = step
        self._name = task.get_name()
        self._task = task

    cdef bint _is_untouched(self, task) except -1:
        """Report whether no change of a task shows that it has run. References to it are counted elsewhere."""
        return (
            PyObject_GET_WEAKREFS_LISTPTR(task)[0] is NULL
            and not _has_attributes(task)
            and task._callbacks is None
            and task.get_name() is self._name
            and not task.cancelling()
            and not task._must_cancel
        )

    cdef _Run _new_run(self):
        cdef _Run run = _Run.__new__(_Run)
        run._requests = self
        return run


cdef bint _has_attributes(task) except -1:
    cdef PyObject** attributes = _PyObject_GetDictPtr(task)
    return attributes is not NULL and attributes[0] is not NULL
