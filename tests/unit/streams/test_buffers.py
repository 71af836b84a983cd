"""The objects that may be sent."""

from __future__ import annotations

import array

import pytest

from corepool.spec.buffers import as_bytes


def test_a_copy_does_not_change_with_what_it_was_made_from() -> None:
    data = bytearray(b"hello")

    copy = as_bytes(data)
    data[:] = b"HELLO"

    assert copy == b"hello"


@pytest.mark.parametrize("data", [memoryview(b"-a-b-")[1::2], array.array("B", b"ab")], ids=["with gaps", "an array"])
def test_whatever_is_a_buffer_can_be_sent(data: memoryview) -> None:
    assert as_bytes(data) == b"ab"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("text", "send() takes bytes, not str; encode it first"),
        (5, "send() takes bytes, not int"),
        ([1, 2], "send() takes bytes, not list"),
        (None, "send() takes bytes, not NoneType"),
    ],
)
def test_anything_but_a_buffer_is_reported_to_its_author(data: bytes, words: str) -> None:
    with pytest.raises(TypeError) as caught:
        as_bytes(data)

    assert str(caught.value) == words
