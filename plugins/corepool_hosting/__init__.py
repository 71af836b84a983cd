"""Servers that exist already, hosted: code for asyncio or socketserver, without a line changed.

They become multi-process, supervised and reloadable. Transports are the pool's business, TLS among them.
"""
