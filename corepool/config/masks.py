"""Permission masks as people write them: "0027", in octal and in quotes."""

from __future__ import annotations

import re
from typing import Annotated

from corepool.spec.fields import BeforeValidator, Field, PlainSerializer


def parse_mask(value: object) -> object:
    """Turn a written mask into a number.

    A bare 027 is not TOML, and a bare 27 would be decimal where octal is meant, so it is refused.

    :raises ValueError: it doesn't have the accepted form.
    """
    if not isinstance(value, str) or not re.fullmatch("0?[0-7]{3}", value):
        raise ValueError('expected an octal number in quotes, such as "0027"')
    return int(value, 8)


FileMask = Annotated[
    int,
    BeforeValidator(parse_mask, json_schema_input_type=Annotated[str, Field(pattern="^0?[0-7]{3}$")]),
    PlainSerializer(lambda mask: f"{mask:04o}", when_used="json"),
]
