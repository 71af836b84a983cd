"""Numbers as people write them."""


def size(count: int) -> str:
    """Write a number of bytes: 12 B, 3.4 KiB, 5.6 GiB."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**power:
            return f"{count / 1024**power:.1f} {unit}"
    return f"{count} B"


def span(seconds: object) -> str:
    """Write a time: 12 s, 3 min, 5 h, 9 d."""
    if not isinstance(seconds, int | float):
        return "?"
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
