"""bjoern, the WSGI server in C: `python -m benchmarks.peers.with_bjoern PORT`."""

import sys

import bjoern  # type: ignore[import-not-found]

from benchmarks.peers.hello import wsgi

bjoern.run(wsgi, "127.0.0.1", int(sys.argv[1]))
