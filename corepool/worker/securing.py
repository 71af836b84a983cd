"""The layers that `conn.start_tls` puts on a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from corepool.hot.site import Held
    from corepool.spec.layer import Layer
    from corepool.spec.transport import Transport


def tls_layers(transport: Transport, conn: Held, context: ssl.SSLContext | None) -> Sequence[Layer]:
    """Make the layers of one connection: of the protocol's own context, or with the certificates of the transport.

    :raises RuntimeError: there is neither.
    """
    if context is not None:
        from corepool.tls.layer import TlsLayer  # noqa: PLC0415  # ssl takes ten milliseconds to import

        return (TlsLayer(context),)
    layers = transport.tls_layers(conn.peer)
    if not layers:
        raise RuntimeError(
            f"start_tls: the listener {conn.listener!r} has no certificates: give start_tls an ssl.SSLContext, or bind "
            "the listener to tls://HOST:PORT?cert=...&key=...&starttls=true"
        )
    return layers
