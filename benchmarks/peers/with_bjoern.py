"""bjoern, the WSGI server in C: `python -m benchmarks.peers.with_bjoern PORT`."""

import importlib
import sys

from benchmarks.peers.hello import wsgi

importlib.import_module("bjoern").run(wsgi, "127.0.0.1", int(sys.argv[1]))
