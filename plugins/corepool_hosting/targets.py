"""Facts about the targets that options name."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

if TYPE_CHECKING:
    from collections.abc import Callable


def _is_target(target: str) -> str:
    if re.fullmatch("[^:]+:[^:]+", target) is None:
        raise ValueError("expected MODULE:ATTRIBUTE, such as myserver:main")
    return target


Target = Annotated[str, AfterValidator(_is_target)]
"""The name of an object, for `load_target`."""


def required_parameters(function: Callable[..., object]) -> list[str]:
    """List the parameters that a call must give."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # written in C, and doesn't tell
        return []
    catch_all = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each.name for each in parameters if each.default is each.empty and each.kind not in catch_all]
