"""The scalers that come with corepool: how many workers there should be."""

from corepool_scale.busyness import Busyness
from corepool_scale.fixed import Fixed

__all__ = ["Busyness", "Fixed"]
