"""As many as were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool import Scaler

if TYPE_CHECKING:
    from corepool import PoolLoad


class Fixed(Scaler):
    """Leave the number to the configuration and to `corepool scale`."""

    def decide(self, load: PoolLoad) -> int:
        """Change nothing."""
        return load.workers
