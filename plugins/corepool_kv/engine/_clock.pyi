from corepool_kv.engine.clock import milliseconds_in_python as milliseconds
from corepool_kv.engine.clock import seconds_in_python as seconds

__all__ = ["milliseconds", "seconds"]
