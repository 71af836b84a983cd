"""Servers that exist already, hosted: code for asyncio or socketserver, without a line changed.

They become multi-process, supervised and reloadable. Listening is the pool's business; TLS may be theirs.
"""
