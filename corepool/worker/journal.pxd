# The C types of journal.py.

from corepool.hot.fields cimport Fields
from corepool.ipc.crash_slots cimport CrashSlots

# C variables, which the .py file sets once.
cdef int _BUSY
cdef int _IDLE
cdef int _SENDING
cdef int _SPEAKING
cdef object _NOTHING
cdef long long MAX_ANNOUNCED

cdef class CrashRecords:
    cdef object ask
    cdef unsigned char[::1] statuses
    cdef unsigned long long[::1] sending
    cdef CrashSlots _slots
    cdef object _freeze
    cdef object failed
    cdef tuple _last
    cdef bytes _last_record

    cpdef bint write(self, Fields conn, Py_ssize_t crash_slot, object state) except -1
    cdef bytes _record(self, Fields conn, object state)

cdef class Journal:
    cdef CrashRecords _records
    cdef long long _length
    cdef object _published
    cdef int _status
    cdef readonly Py_ssize_t crash_slot

    cpdef object wake(self)
    cpdef object sends(self, Fields conn, long long length)
    cpdef object sent(self, long long count)
    cpdef object rest(self, Fields conn)
    cdef bint _publish(self, Fields conn) except -1
