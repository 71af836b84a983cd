from corepool_http.plain_heads import PlainHeadsInPython as PlainHeads

__all__ = ["PlainHeads"]
