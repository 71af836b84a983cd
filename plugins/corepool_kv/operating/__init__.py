"""`corepool kv`: what operators do with stores, beside a pool that serves them or without one."""
