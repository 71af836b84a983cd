"""The errors of the layers of a connection."""

from __future__ import annotations


class LayerError(Exception):
    """A layer of a connection has raised `cause`, which may be of any class: an SSLError is an OSError, say."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


class LayerOutputError(LayerError):
    """It was raised for a protocol that has met the connection: as its output was about to leave, or at the end."""
