cdef object RECEIVE
cdef object SEND
