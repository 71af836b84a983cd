"""The base of every plugin's `Options` model."""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Options of a plugin: one field a key, unknown keys refused, frozen after validation.

    A plugin class that carries an `Options` class attribute derived from this is called with an
    instance of it; a plugin class without one is called with nothing and takes no options.

    `Duration` and `Size` are types for fields that may be written "30s" and "64MiB", as those of the core; the values
    are seconds and bytes. With `DurationOrOff` and `SizeOrOff` 0 is allowed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
