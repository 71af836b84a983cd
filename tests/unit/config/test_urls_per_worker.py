"""Which address each worker has, of a listener with `bind_per_worker`."""

from __future__ import annotations

import pytest

from corepool.launch.per_worker import url_of_worker


@pytest.mark.parametrize(
    ("url", "slot", "own"),
    [
        ("tcp://127.0.0.1:8001", 0, "tcp://127.0.0.1:8001"),
        ("tcp://127.0.0.1:8001", 3, "tcp://127.0.0.1:8004"),
        ("tcp://[::1]:80", 2, "tcp://[::1]:82"),
        ("tcp://[::80:80]:80?x=:80", 1, "tcp://[::80:80]:81?x=:80"),
        ("tcp://127.0.0.1:0", 5, "tcp://127.0.0.1:0"),
        ("tcp://127.0.0.1:65535", 0, "tcp://127.0.0.1:65535"),
        ("unix:///run/{slot}.sock?mode=0660", 11, "unix:///run/11.sock?mode=0660"),
        ("unix:@shop-{slot}", 1, "unix:@shop-1"),
        ("tcp://127.0.0.1:80{slot}", 1, "tcp://127.0.0.1:801"),
        ("tcp://127.0.0.1:x", 1, "tcp://127.0.0.1:x"),  # a mistake that is found later, as anywhere
    ],
)
def test_the_port_counts_up_or_the_slot_is_filled_in(url: str, slot: int, own: str) -> None:
    assert url_of_worker(url, slot) == own


@pytest.mark.parametrize(
    ("url", "mistake"),
    [("unix:///run/x.sock", "write {slot}"), ("tcp://h", "write {slot}"), ("tcp://127.0.0.1:65535", "port 65536")],
)
def test_workers_that_could_not_have_addresses_of_their_own_are_a_mistake(url: str, mistake: str) -> None:
    with pytest.raises(ValueError, match=mistake):
        url_of_worker(url, 1)
