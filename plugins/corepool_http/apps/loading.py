"""Finding the application that a target names."""

from __future__ import annotations

import inspect
import logging
import sys
from typing import TYPE_CHECKING

from corepool.plugins.loading import LoadError, load_target
from corepool_http import events
from corepool_http.targets import split_target

if TYPE_CHECKING:
    from corepool_http.options import HttpOptions

log = logging.getLogger(__name__)

_USUAL = ("application", "app")
"""Names that applications have, as of gunicorn and uWSGI, and of frameworks."""


def load(options: HttpOptions) -> object:
    """Import the application. Runs in: worker, so that a restart always runs new code.

    :raises LoadError: there is no such module or attribute.
    :raises Exception: whatever the module raises when it is imported.
    """
    target = split_target(options.target)
    if target.attribute:
        found = load_target(f"{target.module}:{target.attribute}", options.directory)
    else:
        found = _of_module(target.module, options.directory)
    if target.call is not None or options.factory or is_factory(found):
        if not callable(found):
            raise LoadError(f"target = {options.target!r}: a factory has to be callable")
        if target.call is None:
            events.factory_called(log, target=options.target)
        arguments, named = target.call or ((), {})
        found = found(*arguments, **named)
    if not callable(found):
        raise LoadError(f"target = {options.target!r}: {type(found).__name__} can't be called")
    return found


def _of_module(module: str, directory: str) -> object:
    for attribute in _USUAL:
        try:
            return load_target(f"{module}:{attribute}", directory)
        except LoadError:
            if module not in sys.modules:  # the module itself is missing
                raise
    raise LoadError(f"target = {module!r}: the module has neither {' nor '.join(map(repr, _USUAL))}; say {module}:NAME")


def is_factory(found: object) -> bool:
    """Return whether a callable can only be a factory: it can be called without arguments, but not with two or three.

    WSGI calls with environ and start_response, ASGI with scope, receive and send.
    """
    if not callable(found) or inspect.iscoroutinefunction(found):
        return False
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):  # written in C, and doesn't tell
        return False

    def takes(count: int) -> bool:
        try:
            signature.bind(*range(count))
        except TypeError:
            return False
        return True

    return takes(0) and not takes(2) and not takes(3)


def is_asgi(application: object) -> bool:
    """Return True if an application is ASGI's: a coroutine function, an object whose call is one, an awaitable class.

    Starlette's endpoints are such classes. Calling a class makes an instance, whatever the instance's own call is.
    """
    if inspect.iscoroutinefunction(application):
        return True
    if inspect.isclass(application):
        return hasattr(application, "__await__")
    call = getattr(application, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(call)
