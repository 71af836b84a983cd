"""The tls transport: `tls://host:port?cert=PEM&key=PEM`, or `?certs=FOLDER`. Addresses are those of tcp.

Serving needs the standard library's ssl alone, and so does reading certificates: a handshake in memory makes OpenSSL
tell their names and dates (`certificates.py`).
"""

from corepool_tls.transport import Tls

__all__ = ["Tls"]
