"""cloisterd on a TPM: evidence that a pinning policy accepts, and a store bound to the boot."""

import base64
import json
import pathlib
import struct
import subprocess
import tempfile
import unittest

from e2e.case import PROGRAMS, identity_model
from e2e.start_test import client_identity
from support.server import Server
from support.swtpm import SoftwareTpm

DONE, NOT_VERIFIED = 0, 3


@unittest.skipUnless(SoftwareTpm.is_installed(), "SKIPPED: swtpm is not installed")
class TpmPlatform(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.tpm = SoftwareTpm(self.folder / "tpm")
        self.addCleanup(self.tpm.stop)
        self.owner, digest = client_identity(self.folder)
        self.config = self.folder / "cloister.json"
        self.config.write_text(json.dumps({
            "store": str(self.folder / "store"), "listen_port": 0, "allow_swap": True,
            "platform": "tpm", "tpm_device": self.tpm.device,
            "owner": {"name": "clinic", "key_sha256": digest}}))

    def server(self, *arguments):
        return Server(PROGRAMS, self.folder, arguments, config=self.config)

    def attest(self, server, policy=None):
        command = [str(PROGRAMS / "cloister"), "attest", "--server", server.url, "--json"]
        if policy is not None:
            path = self.folder / "policy.json"
            path.write_text(json.dumps(policy))
            command += ["--policy", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        verdict = json.loads(done.stdout) if done.stdout.startswith("{") else {}
        return done.returncode, verdict, done.stderr

    def pinning(self, measurements, pcr):
        return {"tpm": {"allow_alone": True, "ak_names": [measurements["ak_name"]],
                        "pcrs": {str(pcr): [measurements[f"pcr{pcr}"]]}}}

    def test_is_refused_until_the_policy_takes_and_pins_a_tpm(self):
        with self.server("--create-store") as server:
            code, verdict, _ = self.attest(server)
            self.assertEqual((code, verdict["rule"]), (NOT_VERIFIED, "tpm-alone"))
            self.assertEqual(verdict["kind"], "tpm")
            code, verdict, _ = self.attest(server, {"tpm": {"allow_alone": True}})
            self.assertEqual((code, verdict["rule"]), (NOT_VERIFIED, "not-pinned"))
            policy = self.pinning(verdict["measurements"], 7)
            code, verdict, errors = self.attest(server, policy)
            self.assertEqual(code, DONE, errors)
            self.assertTrue(verdict["accepted"])
            policy["tpm"]["pcrs"]["7"] = ["11" * 32]
            code, verdict, _ = self.attest(server, policy)
            self.assertEqual((code, verdict["rule"]), (NOT_VERIFIED, "pcr"))

    def test_opens_its_store_again_until_something_else_boots(self):
        with self.server("--create-store") as server, server.session() as http:
            http.cert = self.owner
            stored = http.put(server.url + "/v2/models/m/versions/1", data=identity_model())
            self.assertEqual(stored.status_code, 201, stored.text)
        with self.server() as server, server.session() as http:
            http.cert = self.owner
            index = http.post(server.url + "/v2/repository/index").json()
            self.assertEqual([each["name"] for each in index], ["m"])
        self.tpm.extend(4, bytes(32))
        done = subprocess.run([str(PROGRAMS / "cloisterd"), "--config", str(self.config)],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("url:", done.stdout)

    def test_quotes_by_the_paravisors_key_on_azure(self):
        modulus = self.tpm.make_attestation_key(0x81000003)
        encoded = base64.urlsafe_b64encode(modulus).decode().rstrip("=")
        runtime = json.dumps({"keys": [{"kid": "HCLAkPub", "kty": "RSA", "e": "AQAB",
                                        "n": encoded}], "user-data": "00"}).encode()
        report = bytearray(1184)
        report[0], report[0x34] = 3, 1
        self.tpm.write_memory(0x01400001, struct.pack("<IIII16x", 0x414C4348, 1, 0, 2) + report +
                              struct.pack("<IIIII", 0, 1, 2, 1, len(runtime)) + runtime)
        settings = json.loads(self.config.read_text())
        self.config.write_text(json.dumps({**settings, "platform": "azure"}))
        with self.server("--create-store") as server:
            code, verdict, _ = self.attest(server)
            self.assertEqual((code, verdict["kind"]), (NOT_VERIFIED, "azure-snp"))
            self.assertEqual(verdict["rule"], "product")  # no hardware made that report


if __name__ == "__main__":
    unittest.main()
