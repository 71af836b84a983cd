"""What the code of a plugin may raise and still end nothing but its own matter.

Not `Exception` alone: `fut.result()` of a cancelled future raises CancelledError, and applications call `sys.exit`
where they mean "this request is over". One client that gets there must not end everybody's connections.

Not `BaseException`: KeyboardInterrupt is the operator's. In a worker no signal raises it (see worker/process.py); in
the master one does until the loop has taken up the signals, and there it has to end the start.

The registry is not to import this: every command imports the registry, and asyncio takes them 12 ms.
"""

from __future__ import annotations

from asyncio import CancelledError

HOOK_ERRORS: tuple[type[BaseException], ...] = (
    Exception,
    SystemExit,
    CancelledError,
    GeneratorExit,
    BaseExceptionGroup,  # of the above: a TaskGroup's, in an `asyncio.run` of an application
)
"""To be caught around each call of a plugin's code, logged, and charged to its own connection."""
