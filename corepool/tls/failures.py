"""Why TLS has failed, as one of few reasons that are counted, and in words for the log."""

from __future__ import annotations

import ssl

from corepool.spec.layer import PeerError

_BY_OPENSSL = {
    "NO_SHARED_CIPHER": "no_shared_cipher",
    "NO_SHARED_GROUP": "no_shared_cipher",
    "NO_SUITABLE_GROUPS": "no_shared_cipher",
    "NO_SUITABLE_KEY_SHARE": "no_shared_cipher",
    "NO_SHARED_SIGNATURE_ALGORITHMS": "no_shared_cipher",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "no_shared_cipher",
    "INSUFFICIENT_SECURITY": "no_shared_cipher",
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": "no_shared_cipher",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "no_shared_cipher",
    "UNSUPPORTED_PROTOCOL": "version",
    "VERSION_TOO_LOW": "version",
    "VERSION_TOO_HIGH": "version",
    "NO_PROTOCOLS_AVAILABLE": "version",
    "TLSV1_ALERT_PROTOCOL_VERSION": "version",
    "INAPPROPRIATE_FALLBACK": "version",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no_client_certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "certificate_refused",
    "SSLV3_ALERT_BAD_CERTIFICATE": "certificate_refused",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "certificate_refused",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "certificate_refused",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "certificate_refused",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "certificate_refused",
    "WRONG_VERSION_NUMBER": "not_tls",
    "UNKNOWN_PROTOCOL": "not_tls",
    "UNEXPECTED_MESSAGE": "not_tls",
}
"""The reasons of OpenSSL, as Python names them (include/openssl/sslerr.h), and ours. All others: "other"."""

_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21, 27})
"""Of X509_verify_cert: no issuer found, self-signed, or an untrusted end of the chain (x509_vfy.h)."""


def failure_of(error: ssl.SSLError, *, is_open: bool, name: str = "") -> PeerError:
    """Return the failure, to be counted and logged, for an error of a connection.

    :param is_open: the handshake was over.
    :param name: the server name that the client has asked for, where none of our certificates has it.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = "unknown_ca" if error.verify_code in _UNKNOWN_ISSUER else "bad_client_certificate"
        return PeerError(reason, f"the certificate of the client is not accepted: {error.verify_message}")
    if name:
        return PeerError("unknown_name", f"no certificate has the name {name!r}, which the client has asked for")
    code = error.reason or ""
    if code == "CALLBACK_FAILED":  # of Python's own, before it calls ours
        return PeerError("unknown_name", "the name that the client has asked for is not in ASCII")
    reason = _BY_OPENSSL.get(code, "other")
    if is_open and reason == "not_tls":  # a record that was changed, or that is too long, say
        reason = "other"
    words = code.lower().replace("_", " ") or str(error)
    if reason == "certificate_refused":
        words = f"the client does not accept the certificate ({words})"
    return PeerError(reason, f"TLS: {words}")
