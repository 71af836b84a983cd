from corepool_http.http1.framing import join_in_python as join

__all__ = ["join"]
