"""`wsgi_environ.add_request_in_python` in machine code: values are decoded where they lie, without bytes between."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next, PyDict_SetItem, PyDict_Size
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.unicode cimport PyUnicode_DecodeLatin1

from corepool_http._lines cimport LazySection, Line, Name
from corepool_http.message cimport RequestLine, Section

from corepool_http.apps.paths import below

cdef extern from "Python.h":
    PyObject* PyDict_SetDefault(object environ, object key, object value) except NULL
    void PyUnicode_InternInPlace(PyObject** text)

cdef str _METHOD = "REQUEST_METHOD"
cdef str _PATH = "PATH_INFO"
cdef str _RAW = "RAW_URI"
cdef str _URI = "REQUEST_URI"
cdef str _QUERY = "QUERY_STRING"
cdef str _COOKIE = "HTTP_COOKIE"


cdef inline str _text(bytes data):
    return PyUnicode_DecodeLatin1(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), NULL)


cpdef object add_request(dict environ, dict ends, RequestLine line, Section section, bytes mount, object variables):
    """See `wsgi_environ.add_request_in_python`."""
    cdef str target = _text(line.target)
    cdef bytes path = line.path
    cdef LazySection lazy
    cdef Line* each
    cdef Name name
    cdef int place
    cdef const char* begin
    cdef PyObject* key
    cdef PyObject* value
    cdef Py_ssize_t at = 0
    while PyDict_Next(ends, &at, &key, &value):  # there are five, for which an update is slower
        PyDict_SetItem(environ, <object>key, <object>value)
    if mount:
        rest = below(path, mount)
        if rest is not None:
            path = rest
    PyDict_SetItem(environ, _METHOD, line.method)
    PyDict_SetItem(environ, _PATH, target if path is line.target else _text(path))
    PyDict_SetItem(environ, _RAW, target)
    PyDict_SetItem(environ, _URI, target)
    PyDict_SetItem(environ, _QUERY, _text(line.query))
    if isinstance(section, LazySection):
        lazy = <LazySection>section
        begin = PyBytes_AS_STRING(lazy.data)
        for place in range(lazy.count):
            each = &lazy.lines[place]
            name = <Name>each.name
            if name.variable is None:
                name.variable = _interned(variables[name.lower])
            if name.variable:
                _add(environ, name.variable, PyUnicode_DecodeLatin1(begin + each.at, each.size, NULL))
        return
    for lower, content in section.headers:
        variable = variables[lower]
        if variable:
            _add(environ, variable, _text(content))


cdef inline int _add(dict environ, str key, str value) except -1:
    cdef Py_ssize_t size = PyDict_Size(environ)
    cdef PyObject* found = PyDict_SetDefault(environ, key, value)
    # Not whether `found` is `value`: all strings of the same one character are one object.
    if PyDict_Size(environ) == size:
        PyDict_SetItem(environ, key, f"{<object>found}{'; ' if key == _COOKIE else ','}{value}")
    return 0


cdef str _interned(str key):
    cdef PyObject* text = <PyObject*>key
    Py_INCREF(key)
    PyUnicode_InternInPlace(&text)
    key = <str>text
    Py_DECREF(key)
    return key
