"""For plugin authors and for our own tests: real pools, protocols without a process, and contract suites.

With pytest installed, there are the fixtures `pool` (real pools on free ports, started as a user would) and
`connection` (drives a protocol in the test's own process). The suites in `corepool.testing.protocol`, `.dispatcher`,
`.transport`, `.extension` and `.scaler` are classes of tests that every plugin of that kind must pass: subclass
one, say how to make yours, and pytest runs it. Only the suites need pytest; nothing here is imported by a running pool.
"""
