"""Servers that exist already, hosted: what was written for asyncio or for socketserver, without a line changed.

They become multi-process, supervised and reloadable. Transports are the pool's business, TLS among them.
"""
