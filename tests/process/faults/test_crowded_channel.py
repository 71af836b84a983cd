"""A message whose descriptors find no room: in a process of its own, for other threads of this one open files, too."""

from __future__ import annotations

import subprocess
import sys

from sources import source

# In a process of its own: other threads of this one open files, too.
CROWDED = source("programs/crowded.py")


def test_a_message_waits_until_there_is_room_for_all_of_its_descriptors() -> None:
    command = [sys.executable, "-c", CROWDED]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # noqa: S603

    assert done.stdout == "Too many open files\ngone\n", done.stderr
