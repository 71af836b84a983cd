# The C types of replies.py.

cpdef bytes encode(object reply, bint resp3)
