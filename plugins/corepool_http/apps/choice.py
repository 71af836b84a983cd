"""The application that options ask for. Each kind is imported where it is used, but for the usual one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corepool_http.options import HttpOptions
    from corepool_http.service import Application, Service


def make_application(service: Service, options: HttpOptions) -> Application:
    """Return the application of a worker.

    :raises Exception: its module raises this when it is imported, or it can't start.
    """
    if not options.static:
        return _source(service, options)[0]
    from corepool_http.apps.static import Static, folders_of  # noqa: PLC0415

    folders = folders_of(service, options)  # first: what can't be served starts no lifespan
    application, mount_point = _source(service, options)
    return Static(application, folders, mount_point, falls_through=options.static_fallthrough)


def import_usual(options: HttpOptions) -> None:
    """Import the modules that the workers will need: once for all, and by a user who may read Python's library.

    Under `interface = "auto"` those of WSGI: the kind isn't known before the application is imported, in a worker.

    Runs in: master, before the first fork.
    """
    if options.root:
        import corepool_http.apps.files  # noqa: PLC0415
    elif options.interface == "asgi":
        import corepool_http.apps.asgi  # noqa: PLC0415
    else:
        import corepool_http.apps.loading  # noqa: PLC0415
        import corepool_http.apps.wsgi  # noqa: F401, PLC0415


def _source(service: Service, options: HttpOptions) -> tuple[Application, str]:
    """Return an application, and its mount point if the paths of its requests may begin with that."""
    if options.root:
        from corepool_http.apps.files import Files  # noqa: PLC0415

        files = Files(service.heads, options, options.root, options.root_path, redirects_to_pages_only=False)
        return files, ""
    from corepool_http.apps.loading import is_asgi, load  # noqa: PLC0415

    application: Any = load(options)
    interface = options.interface
    if interface == "asgi" or (interface == "auto" and is_asgi(application)):
        from corepool_http.apps.asgi import Asgi  # noqa: PLC0415

        return Asgi(service, options, application), ""
    from corepool_http.apps.wsgi import Wsgi  # noqa: PLC0415

    return Wsgi(service, options, application), options.root_path
