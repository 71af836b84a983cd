"""TLS for connections: a layer over the standard library's ssl, with memory BIOs. It does no I/O.

For transports, and for protocols that begin TLS on a connection that is open already. It imports `ssl`, which takes ten
milliseconds: import it where TLS is used.
"""
