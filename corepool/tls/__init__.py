"""TLS for connections: a layer over the standard library's ssl, with memory BIOs. It does no I/O.

For transports, and for protocols that begin TLS on a connection that is open already. `layer`, `sessions` and
`failures` import `ssl`, which takes ten milliseconds: import them where TLS is used. `facts` does not.
"""
