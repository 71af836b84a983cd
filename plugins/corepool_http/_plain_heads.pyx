"""`plain_heads.PlainHeadsInPython`, in machine code: heads are made in less time than it takes to find known ones."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_SIZE
from cpython.object cimport PyObject
from libc.string cimport memcpy

from corepool_http.head cimport Head, has_content

from corepool_http.header_kinds import KINDS, MAX_LENGTH_DIGITS, VISIBLE, Kind
from corepool_http.rules import TOKEN

cdef extern from "Python.h":
    int PyBytes_CheckExact(PyObject*)
    int PyTuple_CheckExact(PyObject*)
    int PyUnicode_CheckExact(PyObject*)
    PyObject* PyList_GET_ITEM(object, Py_ssize_t)
    PyObject* PyTuple_GET_ITEM(PyObject*, Py_ssize_t)
    Py_ssize_t PyTuple_GET_SIZE(PyObject*)
    int PyUnicode_KIND(PyObject*)
    int PyUnicode_READY(PyObject*) except -1
    void* PyUnicode_DATA(PyObject*)
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject*)
    int PyUnicode_1BYTE_KIND
    char* BYTES_OF "PyBytes_AS_STRING"(PyObject*)
    Py_ssize_t SIZE_OF "PyBytes_GET_SIZE"(PyObject*)

ctypedef const unsigned char* Place

cdef struct Text:
    Place begin
    Py_ssize_t size

cdef unsigned char[256] _IN_NAME
cdef unsigned char[256] _IN_VALUE
cdef unsigned char[256] _LOWER
cdef int _byte
for _byte in range(256):
    _IN_NAME[_byte] = TOKEN.fullmatch(bytes((_byte,))) is not None
    _IN_VALUE[_byte] = _byte in VISIBLE
    _LOWER[_byte] = bytes((_byte,)).lower()[0]

cdef int _LONGEST = max(map(len, KINDS))
cdef tuple _BY_SIZE = tuple(tuple(name for name in KINDS if len(name) == size) for size in range(_LONGEST + 1))
"""The names that mean something, by their sizes: few names of a response need more than the look at its size."""

cdef bytes _LENGTH = next(name for name, kind in KINDS.items() if kind is Kind.LENGTH)
cdef int _MAX_DIGITS = MAX_LENGTH_DIGITS


cdef bint _text_of(PyObject* string, bint is_text, Text* text) except -1:
    """Find the bytes of a string; False if it is of another type, or has other characters than ISO-8859-1."""
    if not is_text:
        if not PyBytes_CheckExact(string):
            return False
        text.begin, text.size = <Place>BYTES_OF(string), SIZE_OF(string)
        return True
    if not PyUnicode_CheckExact(string):
        return False
    PyUnicode_READY(string)
    if PyUnicode_KIND(string) != PyUnicode_1BYTE_KIND:
        return False
    text.begin, text.size = <Place>PyUnicode_DATA(string), PyUnicode_GET_LENGTH(string)
    return True


cdef bytes _special(Text name):
    """Return the name of `KINDS` that this is; None if it is another."""
    cdef bytes each
    cdef Place other
    cdef Py_ssize_t at
    if name.size > _LONGEST:
        return None
    for each in <tuple>_BY_SIZE[name.size]:
        other = <Place>PyBytes_AS_STRING(each)
        at = 0
        while at < name.size and _LOWER[name.begin[at]] == other[at]:
            at += 1
        if at == name.size:
            return each
    return None


cdef long long _number(Text value) noexcept:
    """Return the number that digits are; -1 if they are none."""
    cdef long long number = 0
    cdef Py_ssize_t at
    if not 0 < value.size <= _MAX_DIGITS:
        return -1
    for at in range(value.size):
        if not c"0" <= value.begin[at] <= c"9":
            return -1
        number = number * 10 + value.begin[at] - c"0"
    return number


cdef class PlainHeads:
    """See `plain_heads.PlainHeadsInPython`."""

    def __init__(self):
        self._own = b""

    cpdef object begin_with(self, bytes own):
        self._own = own

    cpdef Head make(self, int code, bytes phrase, object string, list headers):
        """See there. No Python code runs in it: so the strings stay where they are while they are read."""
        cdef Py_ssize_t count = PyList_GET_SIZE(headers)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self._own)
        cdef Py_ssize_t place, at
        cdef PyObject* pair
        cdef Text name, value
        cdef bint is_text = string is str
        cdef long long length = -1
        cdef bytes special, data
        cdef Head head
        cdef char* to
        if not has_content(code):
            return None
        for place in range(count):
            pair = PyList_GET_ITEM(headers, place)
            if not PyTuple_CheckExact(pair) or PyTuple_GET_SIZE(pair) != 2:
                return None
            if not _text_of(PyTuple_GET_ITEM(pair, 0), is_text, &name):
                return None
            if not _text_of(PyTuple_GET_ITEM(pair, 1), is_text, &value):
                return None
            if not name.size:
                return None
            for at in range(name.size):
                if not _IN_NAME[name.begin[at]]:
                    return None
            for at in range(value.size):
                if not _IN_VALUE[value.begin[at]]:
                    return None
            special = _special(name)
            if special is not None:
                if special is not _LENGTH or length >= 0:
                    return None
                length = _number(value)
                if length < 0:
                    return None
            size += name.size + value.size + 4
        data = PyBytes_FromStringAndSize(NULL, size)
        to = PyBytes_AS_STRING(data)
        memcpy(to, PyBytes_AS_STRING(self._own), PyBytes_GET_SIZE(self._own))
        to += PyBytes_GET_SIZE(self._own)
        for place in range(count):
            pair = PyList_GET_ITEM(headers, place)
            _text_of(PyTuple_GET_ITEM(pair, 0), is_text, &name)
            _text_of(PyTuple_GET_ITEM(pair, 1), is_text, &value)
            memcpy(to, name.begin, name.size)
            to += name.size
            memcpy(to, b": ", 2)
            to += 2
            memcpy(to, value.begin, value.size)
            to += value.size
            memcpy(to, b"\r\n", 2)
            to += 2
        # Not by its constructor, which takes twice the time.
        head = Head.__new__(Head)
        head.status = code
        head.phrase = phrase
        head.lines = data
        head.length = None if length < 0 else length
        return head
