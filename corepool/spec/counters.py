"""The counters of a pool: the one table of which scoreboard, `corepool status`, /metrics and the reference are made.

None of them ever goes backwards, also over an upgrade. A counter more of a listener is a line in `OF_SERVICES`, and an
attribute of that name in the worker's `Service`, which publishes it with its heartbeat.
"""

from __future__ import annotations

from typing import NamedTuple


class Counter(NamedTuple):
    """One counter: its key in the status, and its meaning in the words of /metrics and the reference."""

    name: str
    meaning: str


OF_CONNECTIONS = (
    Counter("accepted", "Connections that workers have taken."),
    Counter("closed", "Connections that have ended."),
    Counter("moved", "Connections that went on in another worker."),
    Counter("moved_out", ""),
)
"""Of each listener, published with each batch of events. One without a meaning isn't shown."""

OF_SERVICES = (
    Counter("bytes_in", "Bytes that workers have received from clients."),
    Counter("bytes_out", "Bytes that workers have sent to clients."),
    Counter("layer_failures", "Connections whose layers, such as TLS, have not opened, or have met wrong bytes."),
    Counter("proxy_failures", "Connections from peers of `accept_proxy` whose PROXY header is missing, wrong or late."),
    Counter("unmatched", "Connections whose first bytes, or whose silence, no protocol of their listener has matched."),
    Counter("hook_errors", "Exceptions that hooks of plugins have raised for a connection."),
)
"""Of each listener, published with each heartbeat: attributes of the worker's services."""

HANDSHAKE_FAILURES = {
    "no_shared_cipher": "No cipher, or no curve, that both sides allow.",
    "version": "The client speaks no version of TLS that is allowed.",
    "unknown_name": "No certificate has the name that the client asks for (`strict_sni`), or it is not in ASCII.",
    "certificate_refused": "The client does not accept the certificate.",
    "no_client_certificate": "The client has no certificate, and needs one.",
    "unknown_ca": "The client's certificate is of an authority that is not in `client_ca`.",
    "bad_client_certificate": "The client's certificate is expired or revoked, or not valid for another reason.",
    "plain_http": "The client speaks HTTP without TLS; it is told so.",
    "not_tls": "The client speaks no TLS.",
    "timeout": "The client was too slow.",
    "reset": "The client has left.",
    "other": "Any other reason.",
}
"""The reasons for which layers, such as TLS, don't open, and their meanings."""

OF_HANDSHAKES = tuple(Counter(f"handshake_{reason}", "") for reason in HANDSHAKE_FAILURES)
"""Of each listener, published with each heartbeat: connections whose layers have not opened, one for each reason."""

OF_LISTENERS = OF_CONNECTIONS + OF_SERVICES + OF_HANDSHAKES

OF_WORKERS = (
    Counter("requests", "Requests, as their protocol counts them; of one that does not, events that brought data."),
    Counter("refused", "Connections that came from another worker, which theirs could not go on with."),
    Counter("bus_published", "Messages that workers have published on the bus."),
    Counter("bus_delivered", "Messages of the bus that subscriptions have got; one that three get counts three times."),
    Counter("bus_lost", "Messages of the bus that were dropped, since a subscriber did not keep up."),
)

OF_THE_MASTER = (
    Counter("restarts", "Workers that ended by themselves and were replaced."),
    Counter("redispatched", "Connections that were handed to another worker, for theirs had not taken them."),
    Counter("survived", "Connections that outlived a crash of their worker."),
    Counter("interrupted", "Connections that were sent an error after a crash of their worker."),
)

SHOWN_OF_LISTENERS = tuple(each for each in OF_LISTENERS if each.meaning)

_BEFORE_PROTOCOLS = ("layer_failures", "proxy_failures", "unmatched")

SHOWN_OF_PROTOCOLS = tuple(each for each in SHOWN_OF_LISTENERS if each.name not in _BEFORE_PROTOCOLS)
"""Of each protocol of a listener."""

TOTALS = SHOWN_OF_LISTENERS + OF_WORKERS + OF_THE_MASTER
"""Of the whole pool."""
