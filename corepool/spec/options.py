"""The base of every plugin's `Options` model."""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Options of a plugin: one field a key, unknown keys refused, frozen after validation.

    A plugin class that carries an `Options` class attribute derived from this is called with an
    instance of it; a plugin class without one is called with nothing and takes no options.

    Values of a file are taken strictly: "8" is no number. Text from a flag, `-o threads=8`, or from the query of a URL
    becomes what the field wants, a list of one where it wants a list.

    `Duration` and `Size` are types for fields that may be written "30s" and "64MiB", as those of the core; the values
    are seconds and bytes. With `DurationOrOff` and `SizeOrOff` 0 is allowed.

    What a validator raises as ValueError is a mistake of the configuration, told by `corepool check` with its place.
    The value of a field that is a SecretStr or SecretBytes of pydantic's is told nowhere: `corepool check`, `corepool
    config` and mistakes have asterisks for it, or nothing. (A transport's options stand in a URL, which is shown: it
    takes a secret from a file.) Plugins whose options are equal to those before a reload are kept, so a validator that
    reads a file sees to it that what it has read is part of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
