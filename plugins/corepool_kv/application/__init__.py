"""Stores for applications: the engine, or servers of Redis's protocol, as objects of Python in every worker."""
