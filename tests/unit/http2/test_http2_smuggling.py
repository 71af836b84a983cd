"""Requests that a proxy and this server could read in two ways, in the form of HTTP/2: none reaches an application."""

from __future__ import annotations

import pytest
from http2_frames import Played, frame
from http2_smuggled import CASES


@pytest.mark.parametrize("case", CASES)
def test_a_request_with_two_meanings_reaches_no_application(case: str) -> None:
    played = Played()
    played.feed(played.headers(1, CASES[case], ends=False), frame(0, 1, 1, b"abc"))
    stream = played.streams.get(1)
    assert stream is None or stream.refusal is not None or 1 in played.lost
    assert played.is_well(), "the others are served"


def test_the_content_is_what_frames_hold_whatever_it_looks_like() -> None:
    played = Played()
    stream = played.upload(1, ("content-length", "9"))
    played.feed(frame(0, 1, 1, b"0\r\n\r\nGET "))
    assert stream.body.take() == b"0\r\n\r\nGET "
    assert stream.body.complete
