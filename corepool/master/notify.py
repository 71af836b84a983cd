"""Telling the service manager what the pool is doing: sd_notify(3), by $NOTIFY_SOCKET."""

from __future__ import annotations

import logging
import socket
import time
from collections import deque
from typing import TYPE_CHECKING

from corepool.files.descriptors import release
from corepool.master import events

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

_MAX_UNSENT = 8
"""Messages kept for a service manager that takes none now; the oldest ones say least."""


class ServiceManager:
    """The service manager, if there is one; else every message goes nowhere."""

    def __init__(self, environment: Mapping[str, str], pid: int) -> None:
        """Find it in the environment: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID."""
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        self._unsent: deque[str] = deque(maxlen=_MAX_UNSENT)
        self._is_over = False
        """Another process speaks for the service."""
        self._has_failed = False
        self.watchdog_interval_s = _watchdog_interval(environment, pid) if self._address else None
        """How often `watchdog` should be called, in seconds; None: not at all."""

    def ready(self, status: str) -> None:
        """Report that connections are served."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Report that workers are being replaced; `ready` ends it (sd_notify(3), Type=notify-reload)."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def main_process(self, pid: int) -> None:
        """Report that another process has taken over and serves, and send nothing more from this one.

        In one message: the other's own READY=1 came while this one was the main process, and this one's would come
        when it isn't any more. systemd listens to the main process alone, unless it is told otherwise (NotifyAccess=),
        and would take the service for one that reloads for ever.
        """
        self._send(f"MAINPID={pid}\nREADY=1")
        self._is_over = True
        self.retry()

    def stopping(self) -> None:
        """Report that the pool is going down as asked."""
        self._send("STOPPING=1\nSTATUS=draining")

    def watchdog(self) -> None:
        """Report that the master's loop turns."""
        if not self._is_over:
            self._send_now("WATCHDOG=1")  # a late one is worth nothing

    def retry(self) -> None:
        """Send what could not be sent before: an unreported start would be taken for a failure."""
        while self._unsent and self._send_now(self._unsent[0]):
            self._unsent.popleft()
        if self._is_over and not self._unsent:
            self.close()

    def close(self) -> None:
        """Send nothing more. Idempotent."""
        if self._socket is not None:
            release(self._socket.detach())
            self._socket = None

    def _send(self, text: str) -> None:
        if self._socket is not None and not self._is_over:
            self._unsent.append(text)
            self.retry()

    def _send_now(self, text: str) -> bool:
        if self._socket is None:
            return True
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError as error:
            if not self._has_failed:
                events.service_manager_not_notified(log, state=text.partition("\n")[0], reason=error)
            self._has_failed = True
            return False
        self._has_failed = False
        return True


def _watchdog_interval(environment: Mapping[str, str], pid: int) -> float | None:
    """Half of what the service manager waits for (sd_watchdog_enabled(3) advises so)."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(microseconds) / 2e6 or None
