"""For plugin authors and for our own tests: real pools in subprocesses, sockets, and contract suites.

`corepool.testing.pool` starts a pool as a user would and talks to it. The suites in
`corepool.testing.protocol`, `.dispatcher` and `.transport` are classes of pytest tests that every
plugin of that kind must pass: subclass one, say how to make yours, and pytest runs it. Only the suites
need pytest; nothing here is imported by a running pool.
"""
