"""A certificate authority for tests: real certificates, trusted by nobody but the test."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# Fixed, so that a test does not depend on the day it runs on.
_SINCE = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_UNTIL = datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC)
LONG_AGO = datetime.datetime(2021, 1, 1, tzinfo=datetime.UTC)


class Authority:
    """Signs certificates.

    Args:
        folder: where the files that `ssl` wants to read are put.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Homing test authority")
        self._certificate = self._sign(self._name, self._key, None)

    def client_context(self) -> ssl.SSLContext:
        """Checks names and certificates as always, and trusts this authority."""
        context = ssl.create_default_context()
        context.load_verify_locations(
            cadata=self._certificate.public_bytes(serialization.Encoding.PEM).decode()
        )
        return context

    def server_context(
        self, host: str, *, is_self_signed: bool = False, until: datetime.datetime = _UNTIL
    ) -> ssl.SSLContext:
        """Presents a certificate for `host` (a name or an address), good until `until`."""
        key = ec.generate_private_key(ec.SECP256R1())
        if is_self_signed:
            certificate = self._sign(_name(host), key, host, signed_with=key, until=until)
        else:
            certificate = self._sign(_name(host), key, host, until=until)
        path = self._folder / f"{host}-{is_self_signed}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        host: str | None,
        *,
        signed_with: ec.EllipticCurvePrivateKey | None = None,
        until: datetime.datetime = _UNTIL,
    ) -> x509.Certificate:
        """A certificate; without a host, of an authority."""
        issuer = subject if host is None or signed_with is not None else self._name
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_SINCE)
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        )
        if host is not None:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(host)]), critical=False
            )
        return builder.sign(signed_with or self._key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
