"""What a hook gives to `send`, as bytes that nobody changes any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def as_bytes(data: ReadableBuffer) -> bytes:
    """Copy what is no `bytes`: its owner may change it before it leaves.

    Not `bytes(data)`, which makes zeros of a number, and bytes of a list.

    :raises TypeError: it is no buffer.
    """
    try:
        view = memoryview(data)
    except TypeError:
        hint = "; encode it first" if isinstance(data, str) else ""
        raise TypeError(f"send() takes bytes, not {type(data).__name__}{hint}") from None
    return bytes(view)
