"""Facts about a plugin that its class tells by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from corepool_tcp import Tcp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool import Address, Layer


class Layered(Tcp):
    def layers(self, peer: Address) -> Sequence[Layer]:  # noqa: ARG002
        return ()


@pytest.mark.parametrize(("transport", "has_layers"), [(Layered, True), (Tcp, False)])
def test_a_transport_has_layers_if_it_makes_them(transport: type[Tcp], has_layers: bool) -> None:  # noqa: FBT001
    """Its connections can neither move nor outlive a crash; no author has to say so."""
    assert transport().has_layers is has_layers
