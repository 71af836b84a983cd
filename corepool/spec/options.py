"""The base of every plugin's `Options` model."""

from pydantic import ConfigDict

from corepool.spec.described import Described


class Options(Described):
    """Options of a plugin: one field per key, unknown keys refused, frozen after validation.

    A plugin class that has a subclass of this as its class attribute `Options` is called with an
    instance of that; a plugin class without one is called with nothing and takes no options.

    Values from a file are taken strictly: "8" is not a number. Text from a flag, `-o threads=8`, or from the query of a
    URL is converted to the type of the field; if that is a list, to a list of one.

    `Duration` and `Size` are types for fields that may be written "30s" and "64MiB", like those of the core; the values
    are seconds and bytes. `DurationOrOff` and `SizeOrOff` also allow 0.

    A ValueError from a validator is a mistake in the configuration, which `corepool check` reports with its place.
    The value of a field of pydantic's SecretStr or SecretBytes is never shown: `corepool check`, `corepool config` and
    mistakes print asterisks for it, or nothing. (A transport's options are in a URL, which is shown: it takes a secret
    from a file.) A reload keeps plugins whose options are equal to those before, so a validator that reads a file must
    make the content part of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
