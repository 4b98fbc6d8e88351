"""The rollback anchor in a TPM, through the running server on a simulated one."""

import base64
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from e2e.case import PROGRAMS, identity_model
from e2e.identity import client_identity
from support.server import Server
from support.swtpm import SoftwareTpm

CLOISTERD = str(PROGRAMS / "cloisterd")


@unittest.skipUnless(SoftwareTpm.is_installed(), "SKIPPED: swtpm is not installed")
class Anchor(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.tpm = SoftwareTpm(self.folder / "tpm")
        self.addCleanup(self.tpm.stop)
        self.certificate, self.digest = client_identity(self.folder)

    def config(self, **settings):
        path = self.folder / "cloister.json"
        path.write_text(json.dumps({
            "store": str(self.folder / "store"), "listen_port": 0, "allow_swap": True,
            "owner": {"name": "clinic", "key_sha256": self.digest},
            "platform": "simulated", "anchor": "tpm", "tpm_device": self.tpm.device, **settings}))
        return path

    def start(self, *arguments, **settings):
        server = Server(PROGRAMS, self.folder, arguments, config=self.config(**settings))
        self.addCleanup(server.stop)
        http = server.session()
        http.cert = self.certificate
        self.addCleanup(http.close)
        return server, http

    def upload(self, server, http, version):
        stored = http.put(f"{server.url}/v2/models/m/versions/{version}", data=identity_model())
        self.assertEqual(stored.status_code, 201, stored.text)

    def refusal(self, *arguments, **settings):
        done = subprocess.run(
            [CLOISTERD, "--config", str(self.config(**settings)), *arguments],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        return done.stderr

    def keep(self, name):
        shutil.copytree(self.folder / "store", self.folder / name)

    def put_back(self, name):
        shutil.rmtree(self.folder / "store")
        shutil.copytree(self.folder / name, self.folder / "store")

    def test_refuses_to_start_without_its_tpm_and_under_another_anchor(self):
        server, _ = self.start("--create-store")
        server.stop()
        self.assertIn("another rollback anchor", self.refusal(anchor="none"))
        self.assertIn("anchor's memory in the TPM is missing",
                      self.refusal(tpm_nv_index=0x01800d00))
        self.tpm.stop()
        self.assertIn("the TPM at", self.refusal())

    def test_refuses_to_make_a_store_anew_where_the_tpm_knows_one(self):
        server, _ = self.start("--create-store")
        server.stop()
        shutil.rmtree(self.folder / "store")
        self.assertIn("belongs to an earlier store", self.refusal("--create-store"))

    def test_refuses_an_older_copy_of_the_store(self):
        server, http = self.start("--create-store")
        self.upload(server, http, 1)
        server.stop()
        self.keep("before")
        server, http = self.start()
        self.upload(server, http, 2)
        server.stop()
        self.keep("after")
        self.put_back("before")
        self.assertIn("older than its rollback anchor", self.refusal())
        self.assertIn("older than its rollback anchor", self.refusal("--verify-store"))
        self.put_back("after")
        server, http = self.start()
        self.assertEqual(len(http.get(server.url + "/v2/models").json()), 2)

    def test_makes_a_copy_from_before_an_erasure_useless_for_good(self):
        server, http = self.start("--create-store")
        self.upload(server, http, 1)
        self.upload(server, http, 2)
        server.stop()
        self.keep("before")
        server, http = self.start()
        erased = http.delete(server.url + "/v2/models/m/versions/1")
        self.assertEqual(erased.status_code, 200, erased.text)
        self.assertEqual(erased.json()["erasure"], "bounded-by-anchor")
        server.stop()
        self.keep("after")
        self.put_back("before")
        self.assertIn("catalogue", self.refusal())
        # The old catalogue beside the new store, under the name that the next start looks for.
        self.put_back("after")
        newest = max((self.folder / "store/vault/catalogue").iterdir())
        for old in (self.folder / "before/vault/catalogue").iterdir():
            newest.write_bytes(old.read_bytes())
            self.assertIn("catalogue", self.refusal())
        self.put_back("after")
        server, http = self.start()
        versions = [each["version"] for each in http.get(server.url + "/v2/models").json()]
        self.assertEqual(versions, ["2"])
        again = http.put(server.url + "/v2/models/m/versions/1", data=identity_model())
        self.assertEqual(again.status_code, 409, again.text)

    def test_shares_its_tpm_with_the_platform(self):
        server, http = self.start("--create-store", platform="tpm")
        self.upload(server, http, 1)
        self.assertEqual(http.get(server.url + "/v2").json()["confidential"]["platform"], "tpm")
        self.assertEqual(http.get(f"{server.url}/v2/attestation?nonce={'A' * 22}").status_code, 200)
        server.stop()
        server, http = self.start(platform="tpm")
        self.assertEqual(len(http.get(server.url + "/v2/models").json()), 1)

    def test_says_so_in_the_description_and_in_the_evidence(self):
        server, http = self.start("--create-store")
        described = http.get(server.url + "/v2").json()
        self.assertEqual(described["confidential"]["anchor"], "tpm")
        answer = http.get(server.url + "/v2/attestation?nonce=" + "A" * 22).json()
        claims = base64.b64decode(answer["claims"])
        self.assertIn(b"\x66anchor\x63tpm", claims)
        self.assertIn(b"\x65epoch", claims)
        self.assertEqual(json.loads(answer["configuration"])["anchor"], "tpm")

    def test_is_fooled_by_a_host_that_rolls_the_tpm_back_too(self):
        """What an anchor cannot see, as docs/threat-model.md says: this must stay so documented."""
        server, http = self.start("--create-store")
        self.upload(server, http, 1)
        server.stop()
        self.tpm.stop()
        self.keep("before")
        state = {path: path.read_bytes() for path in self.tpm.folder.iterdir() if path.is_file()}
        self.tpm.start()
        server, http = self.start()
        self.upload(server, http, 2)
        server.stop()
        self.tpm.stop()
        self.put_back("before")
        for path, content in state.items():
            path.write_bytes(content)
        self.tpm.start()
        server, http = self.start()
        self.assertEqual(len(http.get(server.url + "/v2/models").json()), 1)


if __name__ == "__main__":
    unittest.main()
