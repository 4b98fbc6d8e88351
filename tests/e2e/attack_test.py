"""Who wants to pass for a server: each refused by the command line and by the proxy, for its own
reason, with exit code 3, and without having seen a token or a tensor."""

import datetime
import json
import os
import pathlib
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from e2e.case import DEMO, PROGRAMS
from support.local_proxy import Forwarder, LocalProxy
from support.swtpm import SoftwareTpm

CLOISTER = str(PROGRAMS / "cloister")
NOT_VERIFIED = 3
TOKEN = "clst_" + "A" * 43
# Each impostor and the rule that refuses it.
RULES = {
    "middle_own_key": "pubkey-hash",
    "middle_stolen_key": "tls-exporter",
    "stolen_key_replay": "nonce",
    "stolen_key_old_certificate": "certificate-validity",
    "other_configuration": "configuration",
    "hidden_configuration": "configuration-text",
}


class Impostors:
    """The program of that name: `ports` of everybody on its stage."""

    def __init__(self, *transports):
        self._process = subprocess.Popen([str(PROGRAMS / "impostors"), *transports],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports = {}
        for line in self._process.stdout:
            if line == "ready\n":
                return
            name, _, port = line.strip().partition(": ")
            self.ports[name] = int(port)
        raise RuntimeError(f"impostors ended with {self._process.wait()}")

    def stop(self):
        """Ends it; returns what it learned that it should not have."""
        leaks, _ = self._process.communicate(timeout=60)
        return leaks


class OldServer:
    """Answers every connection with plain HTTP, or with TLS 1.2 where there is a certificate."""

    def __init__(self, certificate=None):
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.maximum_version = ssl.TLSVersion.TLSv1_2
            self._context.load_cert_chain(*certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.received = b""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                try:
                    if self._context:
                        client = self._context.wrap_socket(client, server_side=True)
                    self.received += client.recv(65536)
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                except OSError:
                    pass
                client.close()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


def self_signed(folder, address=None):
    """Files of a certificate without evidence, perhaps for an address, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "old")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now,
        now + datetime.timedelta(hours=1))
    if address:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(address)]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


class Attacks:
    """What holds on every platform; below, each platform brings its impostors and its policy."""

    rules = RULES

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.impostors = Impostors(*self.transports())
        self.addCleanup(self.impostors.stop)
        self.policy = self.folder / "policy.json"
        self.policy.write_text("{}")
        verdict = json.loads(self.cli("attest", "--json", "--allow-simulation").stdout)
        self.policy.write_text(json.dumps({
            "configuration": [verdict["claims"]["configuration"]],
            **self.pins(verdict["measurements"])}))

    def url(self, name):
        return f"https://127.0.0.1:{self.impostors.ports[name]}"

    def cli(self, *arguments, url=None):
        return subprocess.run(
            [CLOISTER, *arguments, "--server", url or self.url("genuine"), "--policy",
             str(self.policy)], capture_output=True, text=True, timeout=60,
            env={**os.environ, "CLOISTER_TOKEN": TOKEN})

    def assert_refused(self, url, *words):
        """By every command that could give something away, and by the proxy at its start."""
        for arguments in (("attest",), ("models",),
                          ("upload", "m", "1", str(DEMO / "digits.onnx")),
                          ("infer", "m", "--input", str(DEMO / "digits.inputs.npy")),
                          ("proxy", "--add-token", "--listen", "127.0.0.1:0")):
            done = self.cli(*arguments, url=url)
            self.assertEqual(done.returncode, NOT_VERIFIED, (arguments, done.stdout, done.stderr))
            for word in words:
                self.assertIn(word, done.stderr, arguments)

    def test_accepts_the_server_itself(self):
        done = self.cli("attest")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.cli("models").returncode, 0)

    def test_refuses_every_impostor_for_its_own_reason(self):
        for name, rule in self.rules.items():
            with self.subTest(name):
                self.assert_refused(self.url(name), "not verified", rule)
                first = json.loads(self.cli("attest", "--json", url=self.url(name)).stdout)
                self.assertEqual(first["rule"], rule)
        self.assertEqual(self.impostors.stop(), "")

    def test_refuses_plain_text_and_old_tls(self):
        plain = OldServer()
        self.addCleanup(plain.close)
        self.assert_refused(f"https://127.0.0.1:{plain.port}", "downgrade", "plain text")
        old = OldServer(self_signed(self.folder))
        self.addCleanup(old.close)
        self.assert_refused(f"https://127.0.0.1:{old.port}", "downgrade", "TLS 1.2")
        self.assert_refused(f"http://127.0.0.1:{plain.port}", "plain text")
        self.assertNotIn(TOKEN.encode(), plain.received + old.received)

    def test_refuses_impostors_that_take_over_while_the_proxy_runs(self):
        forwarder = Forwarder(("127.0.0.1", self.impostors.ports["genuine"]))
        self.addCleanup(forwarder.close)
        proxy = LocalProxy(PROGRAMS, f"https://127.0.0.1:{forwarder.port}", "--policy",
                           str(self.policy), "--add-token", token=TOKEN)
        self.addCleanup(proxy.stop)

        def ask():
            done = subprocess.run(
                ["curl", "-sS", "--noproxy", "*", "-w", "\n%{http_code}", "-d", "a tensor",
                 proxy.url + "/v2/models/m/infer"], capture_output=True, text=True, timeout=60)
            body, _, status = done.stdout.rpartition("\n")
            return status, json.loads(body)

        self.assertEqual(ask(), ("200", {}))
        for name, rule in self.rules.items():
            with self.subTest(name):
                forwarder.target = ("127.0.0.1", self.impostors.ports[name])
                forwarder.cut()
                status, answer = ask()
                self.assertEqual((status, answer["code"]), ("502", "unverified"))
                self.assertIn(rule + ":", answer["error"])
        forwarder.target = ("127.0.0.1", self.impostors.ports["genuine"])
        self.assertEqual(ask(), ("200", {}))
        self.assertEqual(proxy.stop()[0], 0)
        self.assertEqual(self.impostors.stop(), "")


class OnSimulatedPlatforms(Attacks, unittest.TestCase):
    def transports(self):
        return ()

    def pins(self, _):
        return {"allow_simulation": True}

    def test_refuses_simulation_without_the_permission(self):
        self.policy.write_text("{}")
        self.assert_refused(self.url("genuine"), "simulation")


@unittest.skipUnless(SoftwareTpm.is_installed(), "SKIPPED: swtpm is not installed")
class OnTpms(Attacks, unittest.TestCase):
    rules = {**RULES, "stolen_key_another_host": "ak-name", "simulation": "simulation"}

    def transports(self):
        devices = []
        for name in ("here", "elsewhere"):
            tpm = SoftwareTpm(self.folder / name)
            self.addCleanup(tpm.stop)
            devices.append(tpm.device)
        return devices

    def pins(self, measurements):
        return {"tpm": {"allow_alone": True, "ak_names": [measurements["ak_name"]],
                        "pcrs": {"7": [measurements["pcr7"]]}}}


if __name__ == "__main__":
    unittest.main()
