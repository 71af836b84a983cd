# cython: auto_pickle=False
# As in Python, nothing here can be copied: not a call, not the application that it is of.
"""The calls of `receive` and `send`: most have their answer at hand, and need no coroutine of Python.

The others go on as coroutines of `asgi_cycle`. Nothing happens before a call is awaited.
"""

cimport cython
from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject

from corepool_http.apps._coroutine cimport RETURNED, Coroutine
from corepool_http.apps.asgi_cycle cimport Cycle

from warnings import warn

from corepool_http.apps.asgi_cycle import Cycle as _Cycle
from corepool_http.apps.waiting import CALLS_PER_ROUND

cdef extern from "Python.h":
    PyObject* Py_NewRef(object)

cdef int _ROUND = CALLS_PER_ROUND


@cython.final
cdef class _Call(Coroutine):
    cdef Cycle _cycle
    """None: it has begun."""
    cdef object _message
    cdef bint _sends

    cdef int resume(self, object value, PyObject** result) except -1:
        cdef Cycle cycle = self._cycle
        cdef object message
        if cycle is not None:
            self._cycle = None
            message, self._message = self._message, None
            if self._sends:
                self.inner = self._send(cycle, message, result)
            else:
                self.inner = self._receive(cycle, result)
            if self.inner is None:
                return RETURNED
        return Coroutine.resume(self, value, result)

    cdef object _receive(self, Cycle cycle, PyObject** result):
        """Have the answer in `result`; or return the coroutine that waits for it."""
        cdef object message
        if cycle._calls + 1 >= _ROUND:
            return cycle.receive()
        cycle._calls += 1
        message = cycle.part()
        if message is None:
            return cycle.next_part()
        result[0] = Py_NewRef(message)
        return None

    cdef object _send(self, Cycle cycle, object message, PyObject** result):
        """Likewise; the answer is None."""
        if cycle._calls + 1 >= _ROUND or cycle._waiter is not None or cycle._exchange.ended:
            return cycle.send(message)
        cycle._calls += 1
        if (_taken(cycle, <dict>message) if type(message) is dict else cycle.take(message)) and not cycle._exchange.ended and cycle._exchange.congested:
            return cycle.room()
        result[0] = Py_NewRef(None)
        return None

    cdef object thrown(self, object error):
        if self._cycle is None and self.inner is None:
            raise RuntimeError("cannot reuse already awaited coroutine")
        self._cycle = self._message = None
        return Coroutine.thrown(self, error)

    cdef object closed(self):
        self._cycle = self._message = None
        Coroutine.closed(self)

    def __dealloc__(self):
        if self._cycle is not None:
            warn(f"coroutine '{self.__qualname__}' was never awaited", RuntimeWarning)

    @property
    def __name__(self):
        return "send" if self._sends else "receive"

    @property
    def __qualname__(self):
        return "Cycle.send" if self._sends else "Cycle.receive"


cdef bint _taken(Cycle cycle, dict message) except -1:
    """Take a message as `Cycle.take` does; the usual ones are here, where it takes no call to look into a dict."""
    cdef PyObject* kind = PyDict_GetItem(message, "type")
    cdef PyObject* data
    cdef PyObject* more
    cdef bytes content
    if kind is not NULL and type(<object>kind) is str:
        if <str>kind == "http.response.body":
            data = PyDict_GetItem(message, "body")
            if data is not NULL and type(<object>data) is bytes:
                content = <bytes>data  # our own reference: the truth of `more_body` may be Python code, and change the message
                more = PyDict_GetItem(message, "more_body")
                cycle.take_body(content, None if more is NULL else <object>more)
                return True
        elif <str>kind == "http.response.start":
            cycle.take_start(message)
            return False
    return cycle.take(message)


cdef class _CoroutineFunction:
    """As `receive` and `send` of `asgi_cycle.Cycle` are to `inspect`."""

    cdef object _of

    def __getattr__(self, name):
        return getattr(self._of, name)

    @property
    def __name__(self):
        return self._of.__name__


@cython.final
cdef class _Receive(_CoroutineFunction):
    def __call__(self, Cycle cycle not None):
        cdef _Call call = _Call.__new__(_Call)
        call._cycle = cycle
        return call


@cython.final
cdef class _Send(_CoroutineFunction):
    def __call__(self, Cycle cycle not None, message):
        cdef _Call call = _Call.__new__(_Call)
        call._cycle = cycle
        call._message = message
        call._sends = True
        return call


cdef _CoroutineFunction _function(_CoroutineFunction function, of):
    function._of = of
    return function


RECEIVE = _function(_Receive.__new__(_Receive), _Cycle.receive)
SEND = _function(_Send.__new__(_Send), _Cycle.send)
