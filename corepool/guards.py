"""What a plugin's code may raise without ending more than what it was called for.

Not `Exception` alone: `fut.result()` of a cancelled future raises CancelledError, and applications call `sys.exit`
where they mean "this request is over". One client that gets there must not end everybody's connections.

Not `BaseException`: KeyboardInterrupt is the operator's. In a worker no signal raises it (see worker/process.py); in
the master one does until the loop has taken over the signals, and then it has to end the start.

The registry must not import this: every command imports the registry, and importing asyncio takes 12 ms.
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
"""To be caught around each call of a plugin's code, and logged; it costs only the connection concerned."""
