from corepool_kv.redis.requests import HiredisReader as RequestReader

__all__ = ["RequestReader"]
