# The function of _joining.pyx, for framing.py.

cpdef bytes join(bytes phrase, bytes lines, bytes line, bytes connection, bytes content)
