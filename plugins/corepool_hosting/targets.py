"""Facts about the targets that options name."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def required_parameters(function: Callable[..., object]) -> list[str]:
    """List the parameters that a call must give."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # written in C, and doesn't tell
        return []
    catch_all = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each.name for each in parameters if each.default is each.empty and each.kind not in catch_all]
