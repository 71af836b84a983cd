"""`plain.PlainHeads` in machine code: one pass over the bytes of a head, and no object for a line of it."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t
from libc.string cimport memchr, memcmp, memcpy

from corepool_http._lines cimport CODING, CONNECTION, HOST, LENGTH, LazySection, Name, Names
from corepool_http.message cimport Body, Request, RequestLine

from urllib.parse import unquote_to_bytes

from corepool_http.http1.plain import IN_CHUNKS
from corepool_http.message import HTTP_1_0, HTTP_1_1
from corepool_http.rules import HOST as _HOST

ctypedef const unsigned char* Place

cdef enum:
    MAX_LENGTH_DIGITS = 18
    MAX_LINES = 1000
    IN_TARGET = 1
    IN_NAME = 2
    IN_VALUE = 4

cdef unsigned char[256] _KINDS
cdef int _byte
for _byte in range(256):
    _KINDS[_byte] = 0
    if _byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-":
        _KINDS[_byte] |= IN_NAME | IN_TARGET
    if _byte in b"!#$%&'*+.^_`|~":
        _KINDS[_byte] |= IN_NAME
    if _byte in b"._~!$&'()*+,;=:@%/?":
        _KINDS[_byte] |= IN_TARGET
    if _byte == 0x09 or 0x20 <= _byte != 0x7F:
        _KINDS[_byte] |= IN_VALUE

cdef tuple _METHODS = ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")
cdef tuple _BEGINNINGS = tuple(method.encode() + b" /" for method in _METHODS)
cdef Py_ssize_t _IN_CHUNKS = IN_CHUNKS
cdef str _HEAD = "HEAD"
cdef str _NEW = HTTP_1_1
cdef str _OLD = HTTP_1_0
cdef object _is_host = _HOST.fullmatch

cdef uint64_t _ONES = 0x0101010101010101
cdef uint64_t _HIGH = 0x8080808080808080


@cython.overflowcheck(False)  # the `checked` build: the differences below are meant to wrap
cdef inline Place _end_of_value(Place at, Place end) noexcept:
    """Return the first place that no value of a header has: of a control character but the tab, or `end`."""
    cdef uint64_t eight, delete
    while True:
        while end - at >= 8:
            memcpy(&eight, at, 8)
            delete = eight ^ (_ONES * 0x7F)
            if (((eight - _ONES * 0x20) & ~eight) | ((delete - _ONES) & ~delete)) & _HIGH:
                break
            at += 8
        # One of eight ends the value, or is a tab; or less than eight are left.
        while at < end and _KINDS[at[0]] & IN_VALUE and at[0] != 0x09:
            at += 1
        if at < end and at[0] == 0x09:
            at += 1
            continue
        return at


cdef inline bint _is_word(Place at, Py_ssize_t size, const char* word, Py_ssize_t length) noexcept:
    """Compare without case. `word` is in lower case."""
    cdef Py_ssize_t place
    if size != length:
        return False
    for place in range(size):
        if (at[place] | 0x20 if 0x41 <= at[place] <= 0x5A else at[place]) != <unsigned char>word[place]:
            return False
    return True


cdef class HeadReader:
    """See `heads.PythonHeadReader`."""

    def __init__(self, options):
        self._names = Names()
        self.lower = self._names.lower
        self._max_head = min(options.max_request_line, options.max_head)
        self._max_body = options.max_body
        self._host = b""

    cpdef Request read(self, bytes data, Py_ssize_t at):
        """Return the request whose head begins at `at`; None: llhttp has to read it.

        Every read is bounded: `place < end` stands before each.
        """
        cdef Place begin = <Place>PyBytes_AS_STRING(data)
        cdef Place head = begin + at
        cdef Place end = begin + PyBytes_GET_SIZE(data)
        cdef Place place = head
        cdef Place start
        cdef Place host = NULL
        cdef Py_ssize_t host_size = 0
        cdef Py_ssize_t length = 0
        cdef Py_ssize_t size
        cdef bint is_new, keeps_alive
        cdef unsigned int met = 0
        cdef bint has_length = False
        cdef Name name
        cdef LazySection section
        cdef Request request
        cdef RequestLine line
        cdef int number = 0

        # --- the line
        if end - place < 16:
            return None
        if memcmp(place, b"GET /", 5) != 0:
            number = _method(place, end)
            if number < 0:
                return None
        place += PyBytes_GET_SIZE(<bytes>_BEGINNINGS[number]) - 1
        start = place
        while place < end and _KINDS[place[0]] & IN_TARGET:
            place += 1
        if end - place < 11 or memcmp(place, b" HTTP/1.", 8) != 0 or place[9] != c"\r" or place[10] != c"\n":
            return None
        if place[8] == c"1":
            is_new = True
        elif place[8] == c"0":
            is_new = False
        else:
            return None
        line = _line(<str>_METHODS[number], start, place - start)
        place += 11
        keeps_alive = is_new

        # --- the field lines
        section = LazySection.__new__(LazySection)
        while place < end and place[0] != c"\r":
            start = place
            while place < end and _KINDS[place[0]] & IN_NAME:
                place += 1
            if place == start or place == end or place[0] != c":" or section.count == MAX_LINES:
                return None
            name = self._names.find(start, place - start)
            place += 1
            if place < end and place[0] == c" ":
                place += 1
            start = place
            place = _end_of_value(place, end)
            size = place - start
            if end - place < 2 or place[0] != c"\r" or place[1] != c"\n":
                return None
            if size and (start[0] <= 0x20 or place[-1] <= 0x20):
                return None
            place += 2
            section.add(name, start - head, size)
            if name.once:
                if met & name.once:
                    return None
                met |= name.once
            if not name.role:
                continue
            if name.role == HOST:
                host = start
                host_size = size
            elif name.role == LENGTH:
                length = _length(start, size)
                if length < 0 or length > self._max_body or has_length:
                    return None
                has_length = True
            elif name.role == CODING:
                if not is_new or has_length or not _is_word(start, size, b"chunked", 7):
                    return None
                has_length = True
                length = _IN_CHUNKS
            elif name.role == CONNECTION:
                if met & 0x80000000:
                    return None
                met |= 0x80000000
                if _is_word(start, size, b"keep-alive", 10):
                    keeps_alive = True
                elif _is_word(start, size, b"close", 5):
                    keeps_alive = False
                else:
                    return None
            else:
                return None
        if not section.count or end - place < 2 or place[1] != c"\n":
            return None
        place += 2
        size = place - head
        if size > self._max_head:
            return None
        if host is NULL:
            if is_new:
                return None
        elif host_size != PyBytes_GET_SIZE(self._host) or memcmp(host, PyBytes_AS_STRING(self._host), host_size) != 0:
            if not self._takes_host(PyBytes_FromStringAndSize(<const char*>host, host_size)):
                return None

        # --- the request
        section.keep_alive = keeps_alive
        section.data = data if size == PyBytes_GET_SIZE(data) else PyBytes_FromStringAndSize(<const char*>head, size)
        request = Request.__new__(Request)
        request.line = line
        request.version = _NEW if is_new else _OLD
        request.section = section
        request.keep_alive = keeps_alive
        if length:
            request.body = Body()
        self.end = place - begin
        self.length = length
        return request

    cdef bint _takes_host(self, bytes host) except -1:
        if _is_host(host) is None:
            return False
        self._host = host
        return True


cdef RequestLine _line(str method, Place target, Py_ssize_t size):
    """Return what `RequestLine` makes of a target."""
    cdef RequestLine line = RequestLine.__new__(RequestLine)
    cdef Place query = <Place>memchr(target, c"?", size)
    cdef Py_ssize_t path_size = size if query is NULL else query - target
    line.method = method
    line.is_head = method is _HEAD  # both are of this module
    line.target = PyBytes_FromStringAndSize(<const char*>target, size)
    if query is NULL:
        line.raw_path = line.target
        line.query = b""
    else:
        line.raw_path = PyBytes_FromStringAndSize(<const char*>target, path_size)
        line.query = PyBytes_FromStringAndSize(<const char*>query + 1, size - path_size - 1)
    line.path = line.raw_path if memchr(target, c"%", path_size) is NULL else unquote_to_bytes(line.raw_path)
    return line


cdef int _method(Place place, Place end):
    cdef int number
    cdef bytes beginning
    cdef Py_ssize_t size
    for number in range(1, 7):
        beginning = <bytes>_BEGINNINGS[number]
        size = PyBytes_GET_SIZE(beginning)
        if end - place >= size and memcmp(place, PyBytes_AS_STRING(beginning), size) == 0:
            return number
    return -1


cdef Py_ssize_t _length(Place place, Py_ssize_t size) noexcept:
    """Return the value of Content-Length; -1: llhttp has to look at it."""
    cdef Py_ssize_t length = 0
    cdef Py_ssize_t at
    if not 0 < size <= MAX_LENGTH_DIGITS or (place[0] == c"0" and size > 1):
        return -1
    for at in range(size):
        if not c"0" <= place[at] <= c"9":
            return -1
        length = length * 10 + (place[at] - c"0")
    return length
