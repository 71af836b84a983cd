"""The extensions that come with corepool: access by address, limits, and a line about each connection.

Each is one class in a file of its own, found by its entry point like a stranger's. They act in `on_accept`,
before the protocol knows of the connection: what they refuse costs no protocol anything.

`peers` is pure: a peer's address in a line. `totals` counts the connections of the pool. `refusals` writes refused
connections to the log.
"""
