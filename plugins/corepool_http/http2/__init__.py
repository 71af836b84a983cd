"""HTTP/2 (RFC 9113): a codec without I/O, and its driver."""
