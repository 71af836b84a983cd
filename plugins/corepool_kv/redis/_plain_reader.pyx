"""`requests.HiredisReader` in machine code: plain requests are cut from the input without objects but their words.

Plain are arrays whose headers are spelled as clients spell them, and inline commands without quotes, both whole and within the
limits. `CarefulReader` reads the others, so it alone judges; behind a request that it has completed, the rest is
tried here again.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.ref cimport Py_INCREF
from libc.string cimport memchr, memcmp

from corepool_kv.redis.parser import CarefulReader, RequestLimits

cdef enum:
    BLANK = 1  # ends a word of a line
    QUEER = 2  # has a meaning, or hides the end of the line

cdef unsigned char[256] _KINDS
cdef int _byte
for _byte in range(256):
    _KINDS[_byte] = BLANK if _byte in b" \t\r" else QUEER if _byte in b"\0\"'\v\f" else 0

cdef enum:
    MAX_DIGITS = 9
    LEAST_WORD = 6  # "$0", two ends of lines
    NOT_PLAIN = -1
    LONG_NAME = 64


cdef class RequestReader:
    """See `corepool_kv.redis.requests.HiredisReader`."""

    def __init__(self, options, *, bint is_trusted=True):
        self._options = options
        self._max_line = options.max_line
        self._max_words = options.max_arguments
        self._max_size = options.max_request
        self._is_trusted = is_trusted
        self._careful = CarefulReader(RequestLimits.of(options, is_trusted=is_trusted))
        self._name = b""

    @property
    def is_empty(self):
        return self._input is None and self._careful.is_empty

    cpdef trust(self):
        self._is_trusted = True
        self._careful.limits = RequestLimits.of(self._options, is_trusted=True)

    cpdef distrust(self):
        self._is_trusted = False
        self._careful.limits = RequestLimits.of(self._options, is_trusted=False)
        self._read_carefully()

    cpdef feed(self, bytes data):
        if self._is_careful:
            self._careful.feed(data)
            self._is_new = True
        elif not self._is_trusted:
            self._careful.feed(data)
            self._is_careful = True
        elif self._input is None:
            if data:
                self._input = data
                self._at = 0
        else:
            self._input = self._input[self._at:] + data
            self._at = 0

    cpdef list next(self):
        cdef list request
        while True:
            if self._input is not None:
                request = self._next_plain()
                if request is not None:
                    return request
                self._read_carefully()
            if not self._is_careful:
                return None
            if not self._is_new or not self._is_trusted:
                break
            # The request that the last input had ended in is complete, if any of this is taken out again.
            self._is_new = False
            rest = self._careful.take_rest()
            if not rest:
                break
            self._is_careful = False
            self._input = rest
            self._at = 0
        request = self._careful.next()
        if request is None:
            self._is_careful = not self._careful.is_empty
        return request

    cdef _read_carefully(self):
        if self._input is not None:
            self._careful.feed(self._input[self._at:])
            self._input = None
            self._is_careful = True
            self._is_new = False

    cdef list _next_plain(self):
        """Return the next request; None if none is left, or what comes is not plain: it begins at `_at`."""
        cdef const char* begin = PyBytes_AS_STRING(self._input)
        cdef const char* end = begin + PyBytes_GET_SIZE(self._input)
        cdef const char* at = begin + self._at
        cdef list words
        while at < end:
            words = self._array(&at, end) if at[0] == c"*" else self._line(&at, end)
            if words is None:
                return None
            self._at = at - begin
            if at == end:
                self._input = None
            if words:
                return words
        return None

    cdef list _array(self, const char** place, const char* end):
        cdef const char* at = place[0]
        cdef Py_ssize_t count, number, length, size = 0
        count = _number(&at, end)
        if not 0 < count <= self._max_words or count > (end - at) // LEAST_WORD:
            return None
        cdef list words = PyList_New(count)
        cdef bytes word
        for number in range(count):
            if at == end or at[0] != c"$":
                return None
            length = _number(&at, end)
            size += length
            if length < 0 or size > self._max_size or end - at < length + 2:
                return None
            if number == 0 and self._is_name(at, length):
                word = self._name  # a client says the same often, and its hash is known
            else:
                word = PyBytes_FromStringAndSize(at, length)
                if number == 0 and length < LONG_NAME:
                    self._name = word
            Py_INCREF(word)
            PyList_SET_ITEM(words, number, word)
            at += length + 2  # the two bytes are not looked at, as in Redis
        place[0] = at
        return words

    cdef bint _is_name(self, const char* at, Py_ssize_t length) noexcept:
        return length == PyBytes_GET_SIZE(self._name) and memcmp(at, PyBytes_AS_STRING(self._name), length) == 0

    cdef list _line(self, const char** place, const char* end):
        cdef const char* at = place[0]
        cdef const char* start
        cdef const char* stop = <const char*>memchr(at, c"\n", min(end - at, self._max_line + 1))
        cdef list words = []
        if stop is NULL:
            return None
        while at < stop:
            start = at
            while at < stop and not _KINDS[<unsigned char>at[0]]:
                at += 1
            if at > start:
                words.append(PyBytes_FromStringAndSize(start, at - start))
            if at < stop:
                if _KINDS[<unsigned char>at[0]] == QUEER:
                    return None
                at += 1
        place[0] = stop + 1
        return words


cdef Py_ssize_t _number(const char** place, const char* end) noexcept:
    """Return the number of a header, and go behind its end of line; NOT_PLAIN if it is not there or spelled otherwise."""
    cdef const char* at = place[0] + 1
    cdef const char* start = at
    cdef Py_ssize_t number = 0
    while at < end and c"0" <= at[0] <= c"9":
        number = 10 * number + at[0] - c"0"
        at += 1
        if at - start > MAX_DIGITS:
            return NOT_PLAIN
    if at == start or (start[0] == c"0" and at - start > 1) or end - at < 2 or at[0] != c"\r" or at[1] != c"\n":
        return NOT_PLAIN
    place[0] = at + 2
    return number
