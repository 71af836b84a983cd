"""The argument of `send` as bytes that can no longer change."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def as_bytes(data: ReadableBuffer) -> bytes:
    """Copy any buffer but `bytes`: its owner may change it before it is sent.

    Not `bytes(data)`, which turns a number into zeros, and accepts a list.

    :raises TypeError: it is not a buffer.
    """
    try:
        view = memoryview(data)
    except TypeError:
        hint = "; encode it first" if isinstance(data, str) else ""
        raise TypeError(f"send() takes bytes, not {type(data).__name__}{hint}") from None
    return bytes(view)
