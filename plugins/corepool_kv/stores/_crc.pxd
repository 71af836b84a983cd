cpdef unsigned int crc_of(bytes key)
