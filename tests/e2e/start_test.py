"""Starting, refusing to start, and stopping."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

import requests

from e2e.case import PROGRAMS, identity_model
from e2e.identity import client_identity
from support.server import Server

CLOISTERD = str(PROGRAMS / "cloisterd")


class Start(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def config(self, **settings):
        path = self.folder / "cloister.json"
        path.write_text(json.dumps({"store": str(self.folder / "store"), "listen_port": 0,
                                    "platform": "simulated", "allow_swap": True,
                                    **settings}))
        return path

    def refused(self, *arguments):
        done = subprocess.run([CLOISTERD, *arguments], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        return done.returncode, done.stderr

    def test_refuses_wrong_usage_with_exit_code_2(self):
        for arguments in ((), ("--dev",), ("--dev", "a", "--config", "b"), ("--nonsense",),
                          ("--config", "x", "--port", "1"), ("--dev", "x", "--port", "70000")):
            with self.subTest(arguments):
                self.assertEqual(self.refused(*arguments)[0], 2)

    def test_refuses_a_bad_configuration_by_name(self):
        for settings, text in (({"stroe": 1}, '"stroe"'), ({"run_threads": 0}, '"run_threads"'),
                               ({"platform": "magic"}, '"platform"')):
            with self.subTest(text):
                code, errors = self.refused("--config", str(self.config(**settings)),
                                            "--create-store")
                self.assertEqual(code, 1)
                self.assertIn(text, errors)

    def test_refuses_to_start_without_the_hardware_that_it_was_told_or_left_to_find(self):
        for platform in ("auto", "gramine", "occlum", "tsm", "sev-guest", "tdx-guest", "azure",
                         "tpm"):
            with self.subTest(platform):
                config = self.config(platform=platform, tpm_device="/nonexistent")
                code, errors = self.refused("--config", str(config), "--create-store")
                self.assertEqual(code, 1)
                self.assertIn("trusted" if platform == "auto" else f'"{platform}"', errors)
        self.assertNotIn("insecure-simulation-root.key",
                         [each.name for each in (self.folder / "store").iterdir()])

    def test_refuses_a_missing_and_a_foreign_store(self):
        config = str(self.config())
        self.assertEqual(self.refused("--config", config)[0], 1)
        self.assertFalse((self.folder / "store").exists())
        vault = self.folder / "store" / "vault"
        vault.mkdir(parents=True)
        (vault / "something").write_text("else")
        self.assertEqual(self.refused("--config", config, "--create-store")[0], 1)
        self.assertEqual((vault / "something").read_text(), "else")

    def test_never_makes_a_deleted_store_anew(self):
        for way in ("emptied", "removed"):
            with self.subTest(way):
                folder = self.folder / way
                with Server(PROGRAMS, folder):
                    pass
                shutil.rmtree(folder / "vault")
                if way == "emptied":
                    (folder / "vault").mkdir()
                self.assertEqual(self.refused("--dev", str(folder))[0], 1)

    def test_refuses_a_store_whose_root_key_is_gone(self):
        with Server(PROGRAMS, self.folder / "dev"):
            pass
        (self.folder / "dev" / "insecure-simulation-root.key").unlink()
        code, errors = self.refused("--dev", str(self.folder / "dev"))
        self.assertEqual(code, 1)
        self.assertIn("corrupt", errors)

    def test_lets_the_configured_owner_in_by_his_key_and_nobody_else(self):
        mine, digest = client_identity(self.folder)
        other, _ = client_identity(self.folder)
        config = self.config(owner={"name": "clinic", "key_sha256": digest})
        with Server(PROGRAMS, self.folder, ("--create-store",), config=config) as server:
            self.assertEqual(server.token, "")
            with server.session() as http:
                url = server.url + "/v2/principals/clinic/tokens"
                self.assertEqual(http.post(url).status_code, 401)
                http.cert = other
                self.assertEqual(http.post(url).status_code, 401)
            with server.session() as http:
                http.cert = mine
                minted = http.post(url)
                self.assertEqual(minted.status_code, 201, minted.text)
            with server.session(minted.json()["token"]) as http:
                stored = http.put(server.url + "/v2/models/m/versions/1", data=identity_model())
                self.assertEqual(stored.status_code, 201, stored.text)

    def test_preloads_what_the_configuration_names_or_does_not_start(self):
        mine, digest = client_identity(self.folder)
        owner = {"name": "clinic", "key_sha256": digest}
        with Server(PROGRAMS, self.folder, ("--create-store",),
                    config=self.config(owner=owner)) as server:
            with server.session() as http:
                http.cert = mine
                stored = http.put(server.url + "/v2/models/m/versions/4", data=identity_model())
                self.assertEqual(stored.status_code, 201, stored.text)
        preload = {"owner": "clinic", "model": "m", "version": 4}
        with Server(PROGRAMS, self.folder,
                    config=self.config(owner=owner, preload=[preload])) as server:
            with server.session() as http:
                http.cert = mine
                index = http.post(server.url + "/v2/repository/index").json()
                self.assertEqual(index[0]["state"], "READY")
        config = self.config(owner=owner, preload=[{**preload, "version": 5}])
        code, errors = self.refused("--config", str(config))
        self.assertEqual(code, 1)
        self.assertIn("clinic.m version 5", errors)

    def test_ignores_what_the_operator_sets_in_the_environment(self):
        hostile = {**os.environ, "LD_PRELOAD": "/nonexistent.so", "OPENSSL_CONF": "/nonexistent",
                   "MALLOC_CHECK_": "3", "ORT_DISABLE_TELEMETRY": "0", "https_proxy": "http://x"}
        process = subprocess.Popen([CLOISTERD, "--dev", str(self.folder / "dev")], env=hostile,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            for line in process.stdout:
                if line.startswith("url:"):
                    break
            environment = pathlib.Path(f"/proc/{process.pid}/environ").read_bytes()
            self.assertEqual(
                sorted(filter(None, environment.split(b"\0"))),
                [b"LC_ALL=C", b"ORT_DISABLE_TELEMETRY=1", b"ORT_TELEMETRY_DISABLED=1",
                 b"TSS2_LOG=all+NONE"])
        finally:
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(timeout=60), 0)
            process.stdout.close()

    def test_finishes_requests_under_way_before_it_stops(self):
        server = Server(PROGRAMS, self.folder / "dev")
        with server.session() as http:
            def slowly():
                data = identity_model()
                yield data[:10]
                server.process.send_signal(signal.SIGTERM)
                yield data[10:]
            stored = http.put(server.url + "/v2/models/m/versions/1", data=slowly())
            self.assertEqual(stored.status_code, 201, stored.text)
        self.assertEqual(server.stop(), 0)

    def test_serves_http_errors_not_plain_text_to_a_plain_client(self):
        with Server(PROGRAMS, self.folder / "dev") as server:
            with self.assertRaises(requests.exceptions.ConnectionError):
                requests.get(server.url.replace("https", "http"), timeout=10)


if __name__ == "__main__":
    unittest.main()
