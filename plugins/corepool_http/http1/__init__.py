"""HTTP/1.1 and 1.0: bytes to requests, responses to bytes, and the connection between them."""
