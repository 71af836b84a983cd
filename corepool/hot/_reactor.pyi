from corepool.hot.reactor import PythonReactor as Reactor

__all__ = ["Reactor"]
