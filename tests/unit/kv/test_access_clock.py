"""The clock of accesses: a key looks younger than it is, if at all, and never older."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool_kv.stores.access_clock import UNUSED_MS, AccessClock, cell_bits
from corepool_kv.stores.crc import crc_of, crc_of_in_python

if TYPE_CHECKING:
    from pathlib import Path

BEGIN_MS = 1_800_000_000_000
UNIT_MS = 32


def clock(cells: int = 65_536) -> AccessClock:
    return AccessClock(mmap.mmap(-1, 4 * cells))


@given(st.binary(max_size=600))
def test_machine_code_and_python_have_the_same_crc(key: bytes) -> None:
    assert crc_of(key) == crc_of_in_python(key)


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c", b"d"]), st.integers(0, 100_000)), min_size=1))
def test_a_key_is_never_older_than_it_is(uses: list[tuple[bytes, int]]) -> None:
    crowded, roomy = clock(2), clock()
    now_ms, last = BEGIN_MS, {}
    for key, pause_ms in uses:
        now_ms += pause_ms
        for each in (crowded, roomy):
            each.touch(key, now_ms)
        last[key] = now_ms
    for key, used_ms in last.items():
        assert crowded.idle_ms(key, now_ms) <= now_ms - used_ms + UNIT_MS
        assert abs(roomy.idle_ms(key, now_ms) - (now_ms - used_ms)) <= UNIT_MS


def test_what_was_not_used_is_older_than_anything_and_the_future_is_now() -> None:
    each = clock()
    assert each.idle_ms(b"a", BEGIN_MS) == UNUSED_MS
    each.touch(b"a", BEGIN_MS)
    assert each.idle_ms(b"a", BEGIN_MS - 3_600_000) == 0
    assert each.idle_ms(b"a", BEGIN_MS + 365 * 86_400_000) == pytest.approx(365 * 86_400_000, abs=UNIT_MS)


def test_processes_of_one_folder_have_one_clock_of_the_size_of_their_bound(tmp_path: Path) -> None:
    first, second = (AccessClock.of_folder(tmp_path, 64 << 20) for _ in range(2))
    first.touch(b"a", BEGIN_MS)
    assert second.idle_ms(b"a", BEGIN_MS + 320) == 320
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_size == 4 << cell_bits(64 << 20)
    assert AccessClock.of_folder(tmp_path, 1 << 30).idle_ms(b"a", BEGIN_MS) == UNUSED_MS
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_was_cut_is_whole_again_for_all_as_soon_as_one_opens_it(tmp_path: Path) -> None:
    running = AccessClock.of_folder(tmp_path, 64 << 20)
    (file,) = tmp_path.iterdir()
    os.truncate(file, 0)  # now a use would end the process: the kernel has no page for it
    replacement = AccessClock.of_folder(tmp_path, 64 << 20)
    assert file.stat().st_size == 4 << cell_bits(64 << 20)
    running.touch(b"a", BEGIN_MS)
    assert replacement.idle_ms(b"a", BEGIN_MS + 320) == 320
