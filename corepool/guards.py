"""The exceptions of plugins and applications that end no more than the call they come from: all of them.

`Exception` is not enough: CancelledError, SystemExit, KeyboardInterrupt, pyo3's PanicException and gevent's Timeout
derive from BaseException alone, and one request that raises them must not end the connections of all clients.

No signal raises KeyboardInterrupt where this is caught: workers and the master's loop have handlers of their own for
SIGINT (worker/process.py, master/signals.py). Code that runs before, such as the import of plugins, lets it pass: there
it is the operator's Ctrl-C.
"""

from __future__ import annotations

HOOK_ERRORS = BaseException
"""Caught around each call of code that is not ours, and logged; the name spares each place the reason."""
