"""The scalers that come with corepool: how many workers there should be.

`Busyness` is imported when it is used: pydantic comes with its options, which most pools do without.
"""

from typing import TYPE_CHECKING

from corepool_scale.fixed import Fixed

if TYPE_CHECKING:
    from corepool_scale.busyness import Busyness

__all__ = ["Busyness", "Fixed"]


def __getattr__(name: str) -> object:
    """Import the other scaler (PEP 562)."""
    if name != "Busyness":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from corepool_scale.busyness import Busyness  # noqa: PLC0415 - see above

    return Busyness
