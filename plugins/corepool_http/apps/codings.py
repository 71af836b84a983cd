"""Accept-Encoding: which of the codings at hand a client prefers to the content as it is (RFC 9110, 12.5.3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_ALIASES = {"x-gzip": "gzip", "x-compress": "compress"}  # RFC 9110, 8.4.1


def preferred(header: str, at_hand: Sequence[str]) -> list[str]:
    """Return the codings that a client accepts, and wants no less than none, the best first.

    :param header: all lines of Accept-Encoding.
    :param at_hand: codings, in the order that decides between those which the client wants alike.
    """
    weights = _weights(header)
    any_other = weights.get("*", 0.0)
    least = weights.get("identity", 0.0)
    found = [(weights.get(coding, any_other), coding) for coding in at_hand]
    wanted = [each for each in found if each[0] > 0 and each[0] >= least]
    return [coding for _, coding in sorted(wanted, key=lambda each: -each[0])]


def _weights(header: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for member in header.lower().split(","):
        name, *parameters = member.split(";")
        name = name.strip()
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                # A malformed weight is not taken for a wish.
                weight = float(value) if _WEIGHT.fullmatch(value := value.strip()) else 0.0
        weights.setdefault(_ALIASES.get(name, name), weight)
    return weights
