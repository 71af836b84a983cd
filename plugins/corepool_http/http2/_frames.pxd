# The head of a frame, for compiled modules.

cpdef bytes frame_head(unsigned int size, unsigned int kind, unsigned int flags, unsigned int number)
