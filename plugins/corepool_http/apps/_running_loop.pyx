"""`running_loop.hide_in_python` and `show_in_python` without system calls.

Python 3.11 calls getpid(2) whenever the running loop is set or asked for: three times a request, a tenth of its time. So
the loop is exchanged where asyncio keeps it, in an object of the thread. Later versions have no such call, and the object
of 3.11 doesn't change any more. Its layout is looked at when this module is imported.
"""

from asyncio import _get_running_loop, _set_running_loop

from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF

cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030C0000
    #define HAS_HOLDER 1
    #else
    #define HAS_HOLDER 0
    #endif
    typedef struct {
        PyObject_HEAD
        PyObject *loop;
    } Holder;
    """
    int HAS_HOLDER
    ctypedef struct Holder:
        PyObject* loop
    PyObject* PyThreadState_GetDict()

cdef str _KEY = "__asyncio_running_event_loop__"


cdef inline Holder* _holder() noexcept:
    cdef PyObject* of_thread = PyThreadState_GetDict()
    return NULL if of_thread is NULL else <Holder*>PyDict_GetItem(<dict>of_thread, _KEY)


cdef bint _is_as_expected() except -1:
    cdef Holder* holder
    cdef object sentinel = object()
    if not HAS_HOLDER:
        return False
    before = _get_running_loop()
    _set_running_loop(sentinel)
    holder = _holder()
    is_it = holder is not NULL and type(<object>holder).__basicsize__ >= sizeof(Holder) and holder.loop is <PyObject*>sentinel
    _set_running_loop(before)
    return is_it


cdef bint _can_exchange = _is_as_expected()


cdef inline object _exchange(Holder* holder, object loop):
    """Put `loop` in, and return the one that was there."""
    cdef PyObject* before = holder.loop
    Py_INCREF(loop)
    holder.loop = <PyObject*>loop
    return _own(before)


cdef inline object _own(PyObject* reference):
    loop = <object>reference
    Py_DECREF(loop)
    return loop


cpdef object hide():
    """Hide the running loop of this thread, and return it for `show`."""
    cdef Holder* holder = _holder() if _can_exchange else NULL
    if holder is not NULL:
        return _exchange(holder, None)
    loop = _get_running_loop()
    _set_running_loop(None)
    return loop


cpdef object show(object loop):
    """Let the loop run again as far as this thread can see."""
    cdef Holder* holder = _holder() if _can_exchange else NULL
    if holder is NULL:  # an application may have had another set, never none
        _set_running_loop(loop)
    else:
        _exchange(holder, loop)
