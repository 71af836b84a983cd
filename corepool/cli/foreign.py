"""Flags of gunicorn and uvicorn that have another name here, or none: an answer for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_CLIENTS = "-b 'tls://HOST:PORT?cert=PEM&key=PEM&client_ca=PEM'; see docs/howto/https.md"
_OPTIONAL = "-b 'tls://HOST:PORT?cert=PEM&key=PEM&client_ca=PEM&client=optional', or required"
_CIPHERS = "-b 'tls://HOST:PORT?cert=PEM&key=PEM&ciphers=LIST', of TLS 1.2"
_VERSION = "-b 'tls://HOST:PORT?cert=PEM&key=PEM&minimum=1.3'; without it, TLS 1.2 and 1.3"
_HTTP2_SIZES = "there is none: it is as RFC 9113 has it without settings"
_STRICT = "there is none: requests are judged as strictly as gunicorn's defaults do"
_SYSLOG = "there is none: the log goes to standard error, under systemd to the journal"
_STATSD = "there is none: the protocol admin has /metrics for Prometheus"
_DIRTY = "there is none; a [[pool]] of a file may have workers of its own"
_LOOP = "there is none: corepool's reactor is the loop"

GUNICORN: Mapping[str, str] = {
    "--access-logfile": "--access-log combined, with --access-log-file FILE",
    "--access-logformat": "--access-log FORMAT, which may be that format itself",
    "--asgi-disconnect-grace-period": "there is none",
    "--asgi-lifespan": "--lifespan",
    "--asgi-loop": _LOOP,
    "--ca-certs": _CLIENTS,
    "--capture-output": "there is none: what an application prints goes where standard output does",
    "--casefold-http-method": _STRICT,
    "--cert-reqs": _OPTIONAL,
    "--chdir": "--directory, for modules; workers stay where the pool was started",
    "--check-config": "corepool check",
    "--ciphers": _CIPHERS,
    "--config": "corepool run CONFIG; the file is TOML: see docs/howto/from-gunicorn.md",
    "--control-socket": "--control",
    "--control-socket-mode": "there is none: only the user who runs the pool, and root, reach the control socket",
    "--daemon": "there is none: systemd starts services, see docs/service.md",
    "--dirty-app": _DIRTY,
    "--dirty-graceful-timeout": _DIRTY,
    "--dirty-threads": _DIRTY,
    "--dirty-timeout": _DIRTY,
    "--dirty-workers": _DIRTY,
    "--disable-redirect-access-to-syslog": _SYSLOG,
    "--do-handshake-on-connect": "there is none: a handshake never holds up other connections",
    "--dogstatsd-tags": _STATSD,
    "--enable-backlog-metric": _STATSD,
    "--enable-stdio-inheritance": "there is none: workers have the standard output of the pool",
    "--env": "--env-file FILE, or the variable before the command",
    "--error-logfile": "the key `file` of [log], or the variable COREPOOL_LOG_FILE",
    "--forwarded-allow-ips": "--trusted-proxies",
    "--forwarder-headers": "--trusted-proxies, which are believed about Forwarded and X-Forwarded-*",
    "--graceful-timeout": "--drain-timeout",
    "--group": "the key `group` of [process], or the variable COREPOOL_PROCESS_GROUP",
    "--header-map": _STRICT,
    "--http-parser": "there is none: requests are parsed by llhttp",
    "--http-protocols": "--no-http2 for HTTP/1.1 alone; both are spoken without it",
    "--http2-cleartext": "--http2, which is on: without TLS, for clients that begin with HTTP/2 (prior knowledge)",
    "--http2-initial-window-size": _HTTP2_SIZES,
    "--http2-max-frame-size": _HTTP2_SIZES,
    "--http2-max-header-list-size": "--max-head",
    "--initgroups": "there is none: the workers' user has its groups",
    "--limit-request-field_size": "--max-head, for the whole header section",
    "--limit-request-fields": "--max-head, for the whole header section",
    "--limit-request-line": "--max-request-line",
    "--log-config-json": "--log-config FILE.json",
    "--log-file": "the key `file` of [log], or the variable COREPOOL_LOG_FILE",
    "--log-syslog": _SYSLOG,
    "--log-syslog-facility": _SYSLOG,
    "--log-syslog-prefix": _SYSLOG,
    "--log-syslog-to": _SYSLOG,
    "--logger-class": "--log-config",
    "--max-requests": "--recycle-requests",
    "--max-requests-jitter": "--recycle-jitter, a fraction: jitter / requests",
    "--no-control-socket": "there is none",
    "--no-sendfile": "there is none: files are always sent by sendfile(2)",
    "--paste": "there is none: name the application as MODULE:ATTRIBUTE",
    "--paste-global": "there is none: name the application as MODULE:ATTRIBUTE",
    "--paster": "there is none: name the application as MODULE:ATTRIBUTE",
    "--permit-obsolete-folding": _STRICT,
    "--permit-unconventional-http-method": _STRICT,
    "--permit-unconventional-http-version": _STRICT,
    "--pid": "the key `pidfile` of [process], or the variable COREPOOL_PROCESS_PIDFILE",
    "--preload": "there is none: workers import the application, so that a reload always runs new code",
    "--print-config": "corepool config",
    "--protocol": "there is none: PROTOCOL is the first argument",
    "--proxy-allow-from": "--accept-proxy NETWORK",
    "--proxy-protocol": "--accept-proxy NETWORK, which names the proxies that send its headers",
    "--pythonpath": "--directory",
    "--reload-engine": "there is none: --reload uses watchfiles",
    "--reload-extra-file": "--reload-include PATTERN",
    "--reuse-port": "there is none: there is one socket; --dispatcher kernel has the workers accept on it",
    "--spew": "there is none",
    "--ssl-version": _VERSION,
    "--statsd-host": _STATSD,
    "--statsd-prefix": _STATSD,
    "--strip-header-spaces": _STRICT,
    "--suppress-ragged-eofs": "there is none: the facts of a connection say whether it was cut off (`truncated`)",
    "--timeout": "--heartbeat-timeout",
    "--umask": "the key `umask` of [process], or the variable COREPOOL_PROCESS_UMASK",
    "--user": "the key `user` of [process], or the variable COREPOOL_PROCESS_USER",
    "--uwsgi-allow-from": "there is none: the protocol of uWSGI is not understood",
    "--websocket-max-message-size": "--max-message",
    "--worker-class": "--threads N for WSGI; ASGI is recognised",
    "--worker-connections": "--max-connections",
    "--worker-tmp-dir": "there is none: heartbeats are in shared memory",
    "-D": "there is none: systemd starts services, see docs/service.md",
    "-R": "there is none: workers have the standard output of the pool",
    "-c": "corepool run CONFIG; the file is TOML: see docs/howto/from-gunicorn.md",
    "-e": "--env-file FILE, or the variable before the command",
    "-g": "the key `group` of [process], or the variable COREPOOL_PROCESS_GROUP",
    "-k": "--threads N for WSGI; ASGI is recognised",
    "-m": "the key `umask` of [process], or the variable COREPOOL_PROCESS_UMASK",
    "-n": "--name",
    "-p": "the key `pidfile` of [process], or the variable COREPOOL_PROCESS_PIDFILE",
    "-t": "--heartbeat-timeout",
    "-u": "the key `user` of [process], or the variable COREPOOL_PROCESS_USER",
    "-v": "corepool --version",
    "--version": "corepool --version",
}

UVICORN: Mapping[str, str] = {
    "--app-dir": "--directory",
    "--date-header": "there is none: responses always have a Date",
    "--fd": "--bind fd://3",
    "--forwarded-allow-ips": "--trusted-proxies",
    "--h11-max-incomplete-event-size": "--max-head",
    "--header": "there is none: the application, or a proxy, adds headers",
    "--host": "--bind HOST:PORT",
    "--http": "there is none: requests are parsed by llhttp",
    "--limit-concurrency": "--max-connections, beyond which clients wait",
    "--limit-max-requests": "--recycle-requests",
    "--limit-max-requests-jitter": "--recycle-jitter, a fraction: jitter / requests",
    "--loop": _LOOP,
    "--no-access-log": "there is none: the access log is off unless --access-log says otherwise",
    "--no-date-header": "there is none: responses always have a Date",
    "--no-proxy-headers": "there is none: no proxy is trusted unless --trusted-proxies names it",
    "--no-server-header": "--server ''",
    "--no-use-colors": "there is none: the log has no colors",
    "--port": "--bind PORT",
    "--proxy-headers": "--trusted-proxies NETWORK",
    "--reload-delay": "there is none: changes are looked at twice a second",
    "--reset-contextvars": "there is none: each request has a context of its own",
    "--server-header": "--server TEXT",
    "--ssl-ca-certs": _CLIENTS,
    "--ssl-cert-reqs": _OPTIONAL,
    "--ssl-certfile": "--certfile",
    "--ssl-ciphers": _CIPHERS,
    "--ssl-keyfile": "--keyfile",
    "--ssl-keyfile-password": "-b 'tls://HOST:PORT?cert=PEM&key=PEM&password_file=FILE': `ps` shows no password then",
    "--ssl-version": _VERSION,
    "--timeout-graceful-shutdown": "--drain-timeout",
    "--timeout-keep-alive": "--keep-alive",
    "--timeout-worker-healthcheck": "--heartbeat-timeout",
    "--uds": "--bind unix:PATH",
    "--use-colors": "there is none: the log has no colors",
    "--version": "corepool --version",
    "--ws": "there is none: WebSockets are the package websockets, without its I/O",
    "--ws-max-queue": "there is none: 64 messages wait for the application",
    "--ws-max-size": "--max-message",
    "--ws-per-message-deflate": "--deflate, or --no-deflate",
    "--ws-ping-interval": "--ping-interval",
    "--ws-ping-timeout": "--ping-interval: a ping that isn't answered before the next one ends the connection",
}


def answer_to(arguments: Sequence[str], known: Collection[str]) -> str | None:
    """Return a sentence about the first flag that is gunicorn's or uvicorn's, and not among the known ones."""
    for argument in arguments:
        if argument == "--":
            return None
        flag = argument.partition("=")[0]
        if flag in known:
            continue
        for program, flags in (("gunicorn", GUNICORN), ("uvicorn", UVICORN)):
            if flag in flags:
                return f"{flag} is a flag of {program}; here: {flags[flag]}"
    return None
