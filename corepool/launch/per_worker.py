"""The addresses of a listener with `bind_per_worker`: one a worker, made from each URL of its `bind`. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

_SLOT = "{slot}"


def url_of_worker(url: str, slot: int) -> str:
    """Return the URL for the worker in `slot`.

    `{slot}` stands for its number. Without it the port counts up from that in the URL, which is of slot 0; port 0 takes
    a free port for each worker.

    :raises ValueError: every worker would have the same address, or the port is above 65535; says why in words.
    """
    if _SLOT in url:
        return url.replace(_SLOT, str(slot))
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        return url  # the mistake is found where any other URL's is
    if port is None:
        raise ValueError("with bind_per_worker each worker needs an address of its own: write {slot} for its number")
    if port == 0:
        return url
    if port + slot > 65_535:
        raise ValueError(f"with bind_per_worker the worker in slot {slot} would have port {port + slot}")
    host, _, _ = parts.netloc.rpartition(":")
    return url.replace(parts.netloc, f"{host}:{port + slot}", 1)
