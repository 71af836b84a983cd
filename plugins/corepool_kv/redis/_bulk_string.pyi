from corepool_kv.redis.replies import bulk_string_in_python as bulk_string

__all__ = ["bulk_string"]
