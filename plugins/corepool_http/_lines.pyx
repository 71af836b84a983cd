"""The field lines of a request as places in its bytes: objects are made of those alone that are asked for."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.string cimport memcmp, memset

from corepool_http.message cimport Section

from corepool_http.message import ONCE

cdef enum:
    CHAINS = 512
    MAX_NAMES = 1000
    MAX_CHAIN = 8  # so that names which a client has chosen for it make no look-up long
    MAX_NAME_BYTES = 64
    LINES = 16  # for which memory is taken at once

cdef dict _ROLES = {
    b"host": HOST,
    b"content-length": LENGTH,
    b"connection": CONNECTION,
    b"transfer-encoding": CODING,
    b"expect": TO_PARSER,
    b"upgrade": TO_PARSER,
}
cdef dict _ONCE = {name: 1 << place for place, name in enumerate(sorted(ONCE))}


cdef class Name:
    """A name of a header, as it came."""

    def __cinit__(self, bytes text not None):
        self.text = text
        self.lower = text.lower()
        self.role = _ROLES.get(self.lower, PLAIN)
        self.once = _ONCE.get(self.lower, 0)


cdef class Names:
    """Names of headers, one object for each: most of them are the same in every request."""

    def __cinit__(self):
        memset(self._chains, 0, sizeof(self._chains))

    def __dealloc__(self):
        cdef int place
        for place in range(CHAINS):
            if self._chains[place] is not NULL:
                Py_DECREF(<Name>self._chains[place])

    cdef Name find(self, const unsigned char* text, Py_ssize_t size):
        """Return the name with these bytes, and keep it, unless it is long or too many are kept."""
        cdef unsigned int place = (
            <unsigned int>size * 31 * 31 * 31 + text[0] * 31 * 31 + text[size >> 1] * 31 + text[size - 1]
        ) % CHAINS
        cdef PyObject* first = self._chains[place]
        cdef PyObject* each = first
        cdef Name name
        cdef int length = 0
        while each is not NULL:
            name = <Name>each
            if PyBytes_GET_SIZE(name.text) == size and memcmp(PyBytes_AS_STRING(name.text), text, size) == 0:
                return name
            each = <PyObject*>name.next if name.next is not None else NULL
            length += 1
        name = Name(PyBytes_FromStringAndSize(<const char*>text, size))
        if self._count < MAX_NAMES and length < MAX_CHAIN and size <= MAX_NAME_BYTES:
            self._count += 1
            if first is not NULL:
                name.next = <Name>first
                Py_DECREF(name.next)  # the chain's own reference
            Py_INCREF(name)
            self._chains[place] = <PyObject*>name
        return name

    def lower(self, bytes name not None):
        """Return a name in lower case: for equal names the same object."""
        if not name:
            return name
        return self.find(<const unsigned char*>PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name)).lower


cdef class LazySection(Section):
    """A section that was read without an object for each line. None of the headers of `ONCE` is there twice."""

    cdef int add(self, Name name, Py_ssize_t at, Py_ssize_t size) except -1:
        """Add a line whose value has its place in `data`."""
        cdef void* lines
        if self.count == self._room:
            lines = PyMem_Realloc(self.lines, (self._room + LINES) * sizeof(Line))
            if lines is NULL:
                raise MemoryError
            self.lines = <Line*>lines
            self._room += LINES
        Py_INCREF(name)
        self.lines[self.count].name = <PyObject*>name
        self.lines[self.count].at = <unsigned int>at
        self.lines[self.count].size = <unsigned int>size
        self.count += 1
        return 0

    def __dealloc__(self):
        cdef int place
        if self.lines is not NULL:
            for place in range(self.count):
                Py_DECREF(<Name>self.lines[place].name)
            PyMem_Free(self.lines)

    cdef int _read(self) except -1:
        cdef int place
        cdef Line* line
        cdef list headers = []
        cdef const char* begin = PyBytes_AS_STRING(self.data)
        for place in range(self.count):
            line = &self.lines[place]
            headers.append(((<Name>line.name).lower, PyBytes_FromStringAndSize(begin + line.at, line.size)))
        self._once = dict(headers)
        self._headers = headers
        self._repeated = {} if len(self._once) == self.count else self._set_apart()
        return 0

    @property
    def headers(self):
        if self._headers is None:
            self._read()
        return self._headers

    def __contains__(self, bytes name):
        if self._headers is None:
            self._read()
        return Section.__contains__(self, name)

    cpdef bint has_any(self, names) except *:
        if self._headers is None:
            self._read()
        return Section.has_any(self, names)

    cpdef object single(self, bytes name):
        if self._headers is None:
            self._read()
        return Section.single(self, name)

    cpdef object joined(self, bytes name):
        if self._headers is None:
            self._read()
        return Section.joined(self, name)
