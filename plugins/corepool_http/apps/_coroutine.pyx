# cython: auto_pickle=False
# As in Python, nothing here can be copied: not a call, not the application that it is of.
"""A coroutine without a frame of Python: for asyncio, and for `await`, it is one by its methods."""

from cpython.object cimport PyObject

import types

cdef extern from *:
    """
    static void corepool_set_am_send(PyObject* type, void* function) {
        ((PyTypeObject*)type)->tp_as_async->am_send = (sendfunc)function;
    }
    """
    void corepool_set_am_send(object, void*)

cdef extern from "Python.h":
    int PyIter_Send(object, object, PyObject**) except -1
    void Py_DECREF(PyObject*)


cdef class Coroutine:
    """Goes on as another coroutine, `inner`, once it has one. Derived classes begin, and see to the end."""

    cdef int resume(self, object value, PyObject** result) except -1:
        """Run to the next wait: YIELDED with that in `result`, or RETURNED with the value. As PyIter_Send."""
        if self.inner is None:
            raise RuntimeError("cannot reuse already awaited coroutine")
        return PyIter_Send(self.inner, value, result)

    cdef object thrown(self, object error):
        """Raise an exception where it waits; return what it waits for then, or raise StopIteration."""
        if self.inner is not None:
            return self.inner.throw(error)
        raise error

    cdef object closed(self):
        """End it where it waits."""
        if self.inner is not None:
            self.inner.close()

    def send(self, value):
        cdef PyObject* result = NULL
        cdef int how = self.resume(value, &result)
        cdef object made = <object>result
        Py_DECREF(result)
        if how == YIELDED:
            return made
        raise StopIteration(made)

    def throw(self, kind, value=None, traceback=None):
        return self.thrown(_exception(kind, value, traceback))

    def close(self):
        self.closed()

    def __await__(self):
        return self

    def __iter__(self):  # for `yield from call.__await__()`: awaitables that are written without `async` have it
        return self

    def __next__(self):
        return self.send(None)

    @property
    def __class__(self):
        # `inspect.iscoroutine` asks for this one class: anyio did until 4.13, before it started a task.
        return types.CoroutineType

    @property
    def cr_running(self):
        return getattr(self.inner, "cr_running", False)

    @property
    def cr_suspended(self):
        return getattr(self.inner, "cr_suspended", False)

    @property
    def cr_await(self):
        return getattr(self.inner, "cr_await", None)

    @property
    def cr_frame(self):
        return getattr(self.inner, "cr_frame", None)

    @property
    def cr_code(self):
        return getattr(self.inner, "cr_code", None)

    @property
    def cr_origin(self):
        return getattr(self.inner, "cr_origin", None)


cdef object _exception(object kind, object value, object traceback):
    """Return the exception that the arguments of `throw` mean: one, or what it was until Python 3.12, a class of one."""
    cdef object error = kind
    if isinstance(kind, type) and issubclass(kind, BaseException):
        error = value if isinstance(value, kind) else kind() if value is None else kind(value)
    if not isinstance(error, BaseException):
        raise TypeError(
            f"exceptions must be classes or instances deriving from BaseException, not {type(error).__name__}"
        )
    return error if traceback is None else error.with_traceback(traceback)


cdef int _send(Coroutine coroutine, object value, PyObject** result) except -1:
    return coroutine.resume(value, result)


# The slot behind `await` and PyIter_Send: without it each value that is returned would be an exception. Types derived
# from this one inherit it.
corepool_set_am_send(Coroutine, <void*>_send)
