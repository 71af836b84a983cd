"""The dialect of Redis: requests, replies, commands and sessions, over the engine."""
