"""The short ways through the layers of a connection bring the same bytes, in the same order, as the long ones."""

from __future__ import annotations

from layers import END, HELLO, WELCOME, Framed, Rot13, frame, rot13

from corepool.hot.layers import Layers
from corepool.hot.outbox import Outbox

LIMIT = 65536


def test_a_handshake_leaves_the_short_way_once_it_alone_is_to_leave() -> None:
    layers = Layers([Framed()])

    layers.receive(HELLO)

    assert layers.pass_down(LIMIT) == WELCOME
    assert layers.pass_down(len(WELCOME) - 1) == b"", "above the high mark it is congestion"
    layers.append(b"later")
    assert layers.pass_down(LIMIT) == b"", "there is more to send than the handshake"
    assert layers.front() == WELCOME


def test_plaintext_waits_until_the_layer_is_open() -> None:
    layers = Layers([Framed()])
    layers.append(b"early")

    assert layers.pass_down(LIMIT) == b""
    layers.receive(HELLO)
    assert layers.open()
    layers.advance(len(layers.front()))

    assert layers.pass_down(LIMIT) == frame(b"early")


def test_clear_text_leaves_before_a_handshake() -> None:
    layers = Layers([Framed()], Outbox(b"go ahead"))

    layers.receive(HELLO)

    assert layers.pass_down(LIMIT) == b""
    assert layers.front() == b"go ahead"


def test_the_rest_of_a_handshake_that_the_kernel_took_in_part_leaves_the_long_way() -> None:
    layers = Layers([Framed()])
    layers.receive(HELLO)

    layers.advance(len(layers.pass_down(LIMIT)) - 1)

    assert layers.pass_down(LIMIT) == b""
    assert layers.front() == WELCOME[-1:]


def test_a_handshake_and_what_is_behind_it_come_the_short_way() -> None:
    layers = Layers([Framed()])

    layers.receive(HELLO + frame(b"Hello"))

    assert layers.open()
    assert layers.take(2) == b"He"
    layers.receive(frame(b" you") + END)
    assert layers.take(LIMIT) == b"llo you"
    assert layers.has_ended
    assert layers.take(LIMIT) == b""
    assert layers.is_over


def test_plaintext_takes_the_long_way_through_several_layers() -> None:
    layers = Layers([Rot13(), Framed()])

    layers.receive(rot13(HELLO))

    assert layers.open()
    assert layers.pass_down(LIMIT) == rot13(WELCOME), "the handshake has come down already"
    layers.advance(len(WELCOME))
    layers.append(b"Hello")
    assert layers.pass_down(LIMIT) == b""
    assert layers.front() == rot13(frame(b"Hello"))
