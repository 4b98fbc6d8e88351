"""What the server proves about itself, seen from the wire."""

import base64
import hashlib
import json
import os
import socket
import ssl
import subprocess
import unittest

from cryptography import x509

from e2e.case import ServerCase

EVIDENCE_OID = "2.23.133.5.4.9"


def nonce(size=32):
    return base64.urlsafe_b64encode(os.urandom(size)).decode().rstrip("=")


class AttestationRoute(ServerCase):
    def ask(self, value):
        with self.server.session(token="") as stranger:
            return stranger.get(self.url(f"/v2/attestation{value}"))

    def test_refuses_nonces_of_a_wrong_length_or_alphabet(self):
        for value in ("", "?nonce=", f"?nonce={nonce(15)}", f"?nonce={nonce(65)}",
                      "?nonce=" + "!" * 43, f"?nonce={nonce()}&nonce={nonce()}", "?nonce=%zz"):
            with self.subTest(value[:20]):
                self.assert_error(self.ask(value), 400, "invalid")

    def test_binds_nonce_key_and_configuration(self):
        value = nonce()
        answer = self.ask(f"?nonce={value}")
        self.assertEqual(answer.status_code, 200, answer.text)
        body = answer.json()
        self.assertEqual(body["tee"], "simulated")
        spki = base64.b64decode(body["cert_spki"])
        pin = "sha256//" + base64.b64encode(hashlib.sha256(spki).digest()).decode()
        self.assertEqual(pin, self.server.pin)
        claims = base64.b64decode(body["claims"])
        self.assertIn(hashlib.sha256(spki).digest(), claims)
        self.assertIn(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)), claims)
        self.assertIn(hashlib.sha256(body["configuration"].encode()).digest(), claims)
        self.assertEqual(json.loads(body["configuration"])["isolation"], "process")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")

    def test_answers_every_connection_with_its_own_binding(self):
        value = nonce()
        self.assertNotEqual(self.ask(f"?nonce={value}").json()["claims"],
                            self.ask(f"?nonce={value}").json()["claims"])

    def test_shows_a_certificate_with_simulated_evidence_for_at_most_a_day(self):
        certificate = x509.load_pem_x509_certificate(self.server.certificate().encode())
        self.assertLessEqual(
            (certificate.not_valid_after_utc - certificate.not_valid_before_utc).total_seconds(),
            86400 + 120)
        extension = certificate.extensions.get_extension_for_oid(
            x509.ObjectIdentifier(EVIDENCE_OID))
        self.assertFalse(extension.critical)
        self.assertIn(b"insecure-simulation", extension.value.value)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        self.assertFalse(constraints.value.ca)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        self.assertIn("localhost", names.value.get_values_for_type(x509.DNSName))

    def test_speaks_nothing_older_than_tls_13(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection(self.server.address) as plain:
            with self.assertRaises(ssl.SSLError):
                context.wrap_socket(plain)
        modern = ssl.create_default_context()
        modern.check_hostname = False
        modern.verify_mode = ssl.CERT_NONE
        with socket.create_connection(self.server.address) as plain:
            with modern.wrap_socket(plain) as secure:
                self.assertEqual(secure.version(), "TLSv1.3")

    def test_gives_no_session_tickets(self):
        host, port = self.server.address
        seen = subprocess.run(
            ["openssl", "s_client", "-connect", f"{host}:{port}", "-tls1_3"],
            input="GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            capture_output=True, text=True, timeout=30).stdout
        self.assertNotIn("New Session Ticket", seen)
        self.assertNotIn("TLS session ticket:", seen)


if __name__ == "__main__":
    unittest.main()
