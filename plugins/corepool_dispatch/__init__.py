"""The dispatch strategies that come with corepool: how a worker is chosen for a connection.

Each is one small class in a file of its own, found by its entry point like a stranger's. `pick` runs once
per accepted connection in the master, beside an accept(2) and a sendmsg(2) that cost microseconds: plain
loops over the views beat clever structures up to the dozens of workers that a machine has.
"""
