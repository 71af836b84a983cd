# The C types of _running_loop.pyx.

cpdef object hide()
cpdef object show(object loop)
