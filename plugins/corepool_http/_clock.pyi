from corepool_http.clock import monotonic_in_python as monotonic
from corepool_http.clock import second_in_python as second

__all__ = ["monotonic", "second"]
