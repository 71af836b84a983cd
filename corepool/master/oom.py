"""Whether the kernel kills processes of this control group for memory: memory.events (cgroup v2)."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


class OomCounter:
    """Counts what the kernel's out-of-memory killer has ended in this process's group. It may not be readable."""

    def __init__(self, events: Path | None = None) -> None:
        """Find the group, and note how many there were."""
        self._events = events or _own_group() / "memory.events"
        self._seen = self._read()

    def has_grown(self) -> bool:
        """Return whether there were more since the last call."""
        seen, self._seen = self._seen, self._read()
        return self._seen > seen

    def _read(self) -> int:
        try:
            for line in self._events.read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
        except (OSError, ValueError):
            pass
        return 0


def _own_group() -> Path:
    try:
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                return _ROOT / line.removeprefix("0::").lstrip("/")
    except OSError:
        pass
    return _ROOT
