"""A transport whose connections have the facts of TLS, without TLS: told://HOST:PORT, with a client's certificate."""

from corepool import ClientCertificate, Layer
from corepool_tcp import Tcp

CERTIFICATE = ClientCertificate(
    der=b"a certificate",
    subject=(
        ("countryName", "DE"),
        ("organizationName", "Fröhlich, Ltd"),
        ("organizationalUnitName", "Sales"),
        ("organizationalUnitName", "North"),
        ("commonName", "Ann"),
        ("emailAddress", "ann@shop.example"),
    ),
    issuer=(("commonName", "Our CA"),),
    serial="0A1B",
    not_before=1_780_315_200.0,
    not_after=4_102_444_800.0,
    alternative_names=(("DNS", "ann.example"), ("DNS", "b.example"), ("email", "ann@shop.example"), ("URI", "x:y")),
    chain=(b"an authority",),
)
FACTS = {
    "tls": "TLSv1.3",
    "cipher": "TLS_AES_128_GCM_SHA256",
    "cipher_bits": 128,
    "cipher_suite": 0x1301,
    "alpn": "http/1.1",
    "sni": "shop.example",
    "server_certificate": "-----BEGIN CERTIFICATE-----\nours\n",
}


class Telling(Layer):
    """Changes nothing, and has the facts."""

    is_open = True

    def __init__(self, facts):
        self._facts = facts

    @property
    def facts(self):
        return self._facts

    def received(self, data):
        return data

    def sent(self, data):
        return data


class Told(Tcp):
    """Clients have a certificate."""

    def layers(self, peer):
        return [Telling({**FACTS, "client_certificate": CERTIFICATE})]


class Anonymous(Told):
    """Clients have none."""

    def layers(self, peer):
        return [Telling(FACTS)]
