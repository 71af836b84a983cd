# The C types of carrier.py.

from corepool.spec.connection_base cimport ConnectionBase
from corepool_http.http2.codec cimport Codec
from corepool_http.http2.deadlines cimport Deadlines
from corepool_http.http2.output cimport SharedOutput
from corepool_http.http2.streams cimport BaseStream
from corepool_http.service cimport Service

cdef class Carrier:
    cdef public ConnectionBase conn
    cdef public Service service
    cdef public Codec codec
    cdef public Deadlines deadlines
    cdef public SharedOutput output

    cpdef object forget(self, BaseStream stream)
    cpdef object lose(self, BaseStream stream)
