"""Keys for sealed models that change, and a folder of sealed models that a server starts with."""

import base64
import hashlib
import json
import pathlib
import tempfile
import time
import unittest

from e2e.case import PROGRAMS, identity_model
from e2e.identity import client_identity
from e2e.sealed_test import sealed_for
from support.sealing import seal
from support.server import Server

YEAR = 366 * 86400


class Configured(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.inbox = self.folder / "inbox"
        self.inbox.mkdir()
        self.certificate, self.key = client_identity(self.folder)
        self.created = False

    def start(self, **settings):
        path = self.folder / "cloister.json"
        path.write_text(json.dumps({
            "store": str(self.folder / "store"), "listen_port": 0, "platform": "simulated",
            "allow_swap": True, "owner": {"name": "clinic", "key_sha256": self.key}, **settings}))
        arguments = () if self.created else ("--create-store",)
        self.created = True
        return Server(PROGRAMS, self.folder, arguments, config=path)

    def session(self, server):
        http = server.session()
        http.cert = self.certificate
        self.addCleanup(http.close)
        return http

    def seal(self, server, name, **more):
        return sealed_for(server, self.folder, name, "--any-configuration", owner="clinic", **more)


class Keys(Configured):
    def shown(self, http, server):
        facts = http.get(server.url + "/v2").json()["confidential"]
        return facts["hpke_key"], facts["hpke_keys_kept"]

    def test_shows_another_key_in_time_and_lets_in_what_is_on_its_way(self):
        with self.start(sealed_key_seconds=YEAR, sealed_key_kept_seconds=YEAR) as server:
            http = self.session(server)
            first, kept = self.shown(http, server)
            self.assertEqual(kept, [])
            early = self.seal(server, "early")
            lost = self.seal(server, "lost")
            sealed_at = time.time()
        self.wait_until(sealed_at + 2)
        with self.start(sealed_key_seconds=2, sealed_key_kept_seconds=YEAR) as server:
            http = self.session(server)
            second, kept = self.shown(http, server)
            self.assertNotEqual(first, second)
            self.assertIn(first, kept)
            stored = http.put(server.url + "/v2/models/early/versions/1", data=early)
            self.assertEqual(stored.status_code, 201, stored.text)
            # While it runs the key changes too, and with it the certificate: `cloister seal`
            # takes no key that the evidence does not vouch for.
            deadline = time.monotonic() + 30
            while self.shown(http, server)[0] == second:
                self.assertLess(time.monotonic(), deadline)
            self.assertIn(second, self.shown(http, server)[1])
            late = self.seal(server, "late")
            stored = http.put(server.url + "/v2/models/late/versions/1", data=late)
            self.assertEqual(stored.status_code, 201, stored.text)
            sealed_at = time.time()
        self.wait_until(sealed_at + 2)
        with self.start(sealed_key_seconds=YEAR, sealed_key_kept_seconds=1) as server:
            http = self.session(server)
            self.assertEqual(self.shown(http, server)[1], [])
            refused = http.put(server.url + "/v2/models/lost/versions/1", data=lost)
            self.assertEqual(refused.status_code, 422, refused.text)

    def wait_until(self, moment):
        """For the clock that ages keys; what a server's start takes is most of it."""
        while time.time() < moment:
            pass


class Import(Configured):
    def settings(self, *models):
        return {"import": {"folder": str(self.inbox), "models": [
            {"owner": "clinic", "model": name, "version": version,
             "sha256": hashlib.sha256(content).hexdigest()} for name, version, content in models]}}

    def failures(self, server):
        events = [json.loads(line) for line in server.errors if line.startswith("{")]
        return [(each["code"], each["where"]) for each in events
                if each["event"] == "operation_failed"]

    def names(self, http, server):
        listed = http.get(server.url + "/v2/models").json()
        return {(each["name"], each["version"]) for each in listed}

    def test_does_not_start_without_the_folder(self):
        with self.assertRaises(RuntimeError) as caught:
            self.start(**{"import": {"folder": str(self.folder / "none"), "models": []}})
        self.assertIn("import", str(caught.exception))

    def test_starts_with_the_models_that_the_configuration_expects_and_no_others(self):
        model, other = identity_model(), identity_model(shape=("n", 2))
        expected = self.settings(("fraud", 1, model), ("fraud", 2, other), ("cut", 1, model))
        with self.start(**expected) as server:
            for name, content in (("fraud", model), ("planted", model), ("cut", model)):
                (self.inbox / name).write_bytes(self.seal(server, name, model=content))
            # Under an expected name and number, but another content than the evidence tells.
            (self.inbox / "swapped").write_bytes(
                self.seal(server, "fraud", version=2, model=model))
            key = base64.b64decode(self.session(server).get(server.url + "/v2").json()
                                   ["confidential"]["hpke_key"])
            (self.inbox / "expired").write_bytes(
                seal(key, other, "clinic", "fraud", version=2, expires_in=-1))
        whole = (self.inbox / "cut").read_bytes()
        (self.inbox / "cut").write_bytes(whole[:-1])
        (self.inbox / "noise").write_bytes(b"no sealed model at all")
        (self.inbox / "empty").write_bytes(b"")
        (self.inbox / "link").symlink_to(self.inbox / "fraud")
        with self.start(**expected) as server:
            http = self.session(server)
            self.assertEqual(self.names(http, server), {("fraud", "1")})
            self.assertEqual(sorted(self.failures(server)), sorted([
                ("too_large", "import.size"), ("corrupt", "bytes.take"),
                ("denied", "sealed.expired"), ("unsupported", "sealed.magic"),
                ("denied", "import.expected"), ("denied", "import.expected")]))
            log = "".join(server.errors)
            for text in ("fraud", "planted", "clinic", str(self.inbox)):
                self.assertNotIn(text, log)

    def test_imports_once_and_brings_nothing_erased_back(self):
        model = identity_model()
        expected = self.settings(("fraud", 1, model))
        with self.start(**expected) as server:
            (self.inbox / "fraud").write_bytes(self.seal(server, "fraud", model=model))
        for _ in range(2):
            with self.start(**expected) as server:
                http = self.session(server)
                listed = http.get(server.url + "/v2/models").json()
                self.assertEqual([each["name"] for each in listed], ["fraud"])
                self.assertEqual(listed[0]["sha256"], hashlib.sha256(model).hexdigest())
                self.assertEqual(self.failures(server), [])
                uploaded_at = listed[0]["uploaded_at"]
        with self.start(**expected) as server:
            http = self.session(server)
            listed = http.get(server.url + "/v2/models").json()
            self.assertEqual(listed[0]["uploaded_at"], uploaded_at)
            erased = http.delete(server.url + "/v2/models/fraud/versions/1")
            self.assertEqual(erased.status_code, 200, erased.text)
        with self.start(**expected) as server:
            http = self.session(server)
            self.assertEqual(http.get(server.url + "/v2/models").json(), [])
            self.assertEqual(self.failures(server), [])
            events = http.get(server.url + "/v2/audit").json()["events"]
        self.assertEqual([each["action"] for each in events],
                         ["version-imported", "version-erased"])
        self.assertEqual((events[0]["model"], events[0]["version"], events[0]["sha256"]),
                         ("fraud", "1", hashlib.sha256(model).hexdigest()))
        self.assertNotIn("actor", events[0])


if __name__ == "__main__":
    unittest.main()
