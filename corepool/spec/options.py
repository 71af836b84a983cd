"""The base of every plugin's `Options` model."""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Options of a plugin: one field a key, unknown keys refused, frozen after validation.

    A plugin class that carries an `Options` class attribute derived from this is called with an
    instance of it; a plugin class without one is called with nothing and takes no options.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
