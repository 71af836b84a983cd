"""The suite on every supported interpreter of this machine: `nox` (those that are missing are reported)."""

import nox

nox.options.error_on_missing_interpreters = False


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Install corepool with its test extras and run the suite."""
    session.install("-e", ".[test]")
    session.run("pytest", "-n", "4", *session.posargs)
