"""The store on a real disk under the running server: verifying, quotas, a failing disk."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

import numpy as np
from onnx import TensorProto, helper

from e2e.case import PROGRAMS, demo_model, identity_model, npy, small_model
from e2e.identity import client_identity
from support.server import Server

CLOISTERD = str(PROGRAMS / "cloisterd")
MOUNT = ("unshare", "--map-root-user", "--mount", "sh", "-c",
         'mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@"')


def weights_model(count):
    """A model of `count` weights of four bytes."""
    return small_model([helper.make_node("Add", ["x", "w"], ["y"])],
                       [("x", TensorProto.FLOAT, [1])], [("y", TensorProto.FLOAT, [count])],
                       [helper.make_tensor("w", TensorProto.FLOAT, [count],
                                           np.ones(count, np.float32).tobytes(), raw=True)])


class StoreCase(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name) / "dev"
        self.versions = self.folder / "vault" / "versions"

    def start(self, **rest):
        server = Server(PROGRAMS, self.folder, **rest)
        self.addCleanup(server.stop)
        return server

    def run_server(self, *arguments):
        done = subprocess.run([CLOISTERD, "--dev", str(self.folder), *arguments],
                              capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def store_models(self, *names):
        """Uploads each demonstration model as version 1; returns token and files of each: its
        own and its optimised form's, in any order."""
        server = self.start(arguments=("--isolation", "inline"))
        files = {}
        with server.session() as http:
            for name in names:
                before = set(self.versions.iterdir())
                stored = http.put(f"{server.url}/v2/models/{name}/versions/1",
                                  data=demo_model(name))
                self.assertEqual(stored.status_code, 201, stored.text)
                files[name] = set(self.versions.iterdir()) - before
        self.assertEqual(server.stop(), 0)
        return server.token, files


class VerifyStore(StoreCase):
    def test_refuses_where_there_is_no_store_and_makes_none(self):
        code, _, errors = self.run_server("--verify-store")
        self.assertEqual(code, 1, errors)
        self.assertFalse(self.folder.exists())

    def test_refuses_while_a_server_has_the_store(self):
        self.start()
        code, _, errors = self.run_server("--verify-store")
        self.assertEqual(code, 1)
        self.assertIn("another server has this store open", errors)

    def test_refuses_a_store_whose_catalogue_is_gone_or_whose_root_secret_is(self):
        self.store_models("cancer")
        catalogue = self.folder / "vault" / "catalogue"
        kept = {path: path.read_bytes() for path in catalogue.iterdir()}
        for path in kept:
            path.unlink()
        code, _, errors = self.run_server("--verify-store")
        self.assertEqual(code, 1)
        self.assertIn("catalogue is missing", errors)
        for path, content in kept.items():
            path.write_bytes(content)
        (self.folder / "insecure-simulation-root.key").unlink()
        code, _, errors = self.run_server("--verify-store")
        self.assertEqual(code, 1)
        self.assertIn("root secret", errors)
        self.assertFalse((self.folder / "insecure-simulation-root.key").exists())

    def test_reports_each_damage_by_its_file_and_names_no_model(self):
        _, files = self.store_models("cancer", "digits")
        (self.versions / "note").write_text("not ours")
        tails = []
        for path in files["cancer"]:
            whole = path.read_bytes()
            path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
            code, report, _ = self.run_server("--verify-store")
            path.write_bytes(whole)
            self.assertEqual(code, 3)
            self.assertIn("unknown: versions/note\n", report)
            self.assertNotIn("cancer", report)
            damaged, = (line for line in report.splitlines() if line.startswith("damaged: "))
            self.assertTrue(damaged.startswith(f"damaged: versions/{path.name} (corrupt)"), damaged)
            tails.append((damaged.partition(")")[2], report.splitlines()[-1]))
        self.assertEqual(sorted(tails), [("", "whole: 1 of 2"), (
            ", an optimised form: it is made anew", "whole: 2 of 2")])

    def test_reports_a_whole_store(self):
        self.store_models("cancer", "digits")
        code, report, _ = self.run_server("--verify-store")
        self.assertEqual(code, 0)
        self.assertEqual(report.split("\n")[0], "anchor: none")
        self.assertTrue(report.endswith("versions: 2\nwhole: 2 of 2\n"), report)


def can_mount():
    """Whether this user may have a disk of its own to fill."""
    return subprocess.run([*MOUNT, "/tmp", "true"], capture_output=True).returncode == 0


class FailingDisk(StoreCase):
    arguments = ("--isolation", "inline")

    def infer(self, server, http, name):
        answer = http.post(f"{server.url}/v2/models/{name}/infer", data=npy(
            np.ones((1, 30) if name == "cancer" else (1, 1, 8, 8), np.float32)),
            headers={"Content-Type": "application/x-npy"})
        return answer.status_code, answer.text if answer.status_code != 200 else ""

    @unittest.skipUnless(can_mount(), "SKIPPED: may not mount a small disk here")
    def test_refuses_uploads_on_a_full_disk_and_serves_the_rest(self):
        self.folder.mkdir()
        server = self.start(prefix=(*MOUNT, str(self.folder)), arguments=self.arguments)
        with server.session() as http:
            data = demo_model("cancer")
            stored = http.put(server.url + "/v2/models/cancer/versions/1", data=data)
            self.assertEqual(stored.status_code, 201, stored.text)
            large = weights_model(1 << 20)
            refused = http.put(server.url + "/v2/models/large/versions/1", data=large)
            self.assertEqual(refused.status_code, 500, refused.text)
            self.assertEqual(refused.json()["code"], "io")
            self.assertEqual(http.get(server.url + "/v2/models/large").status_code, 404)
            # Small ones until not even a catalogue fits; what was acknowledged stays.
            kept, answer = 0, stored
            while answer.status_code == 201:
                kept += 1
                answer = http.put(f"{server.url}/v2/models/m/versions/{kept}",
                                  data=weights_model(20_000))
            self.assertEqual((answer.status_code, answer.json()["code"]), (500, "io"))
            self.assertGreater(kept, 10)
            listed = http.get(server.url + "/v2/models").json()
            self.assertEqual(len(listed), kept)
            self.assertEqual(self.infer(server, http, "cancer"), (200, ""))
            # Erasing writes a catalogue too: it may be refused, and then everything is still there.
            gone = http.delete(server.url + "/v2/models/m/versions/1")
            self.assertIn((gone.status_code, gone.json().get("code")), ((200, None), (500, "io")))
            left = kept - 1 if gone.status_code == 200 else kept
            self.assertEqual(len(http.get(server.url + "/v2/models").json()), left)
            self.assertEqual(self.infer(server, http, "cancer"), (200, ""))

    def test_answers_a_read_error_as_such_and_serves_the_rest(self):
        token, files = self.store_models("cancer", "digits")
        for call, error in (("pread64", "EIO"), ("openat", "EACCES")):
            with self.subTest(call):
                named = [each.name if call == "openat" else str(each)
                         for each in files["cancer"]]
                server = self.start(arguments=self.arguments, prefix=(
                    "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                    "-P", named[0], "-P", named[1], "-e", f"inject={call}:error={error}"))
                with server.session(token) as http:
                    status, text = self.infer(server, http, "cancer")
                    self.assertEqual(status, 500)
                    self.assertIn('"code":"io"', text)
                    self.assertIn("cancer", text)
                    self.assertEqual(self.infer(server, http, "digits"), (200, ""))
                # strace forwards no signal.
                children = f"/proc/{server.process.pid}/task/{server.process.pid}/children"
                os.kill(int(pathlib.Path(children).read_text()), signal.SIGTERM)
                if server.process.wait(timeout=60) != 0:
                    # As in confinement_test: the address sanitizer cannot end under strace.
                    self.assertIn("LeakSanitizer", "".join(server.errors))

    def test_does_not_start_on_a_folder_that_it_may_not_read(self):
        self.store_models("cancer")
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=openat",
             "-e", "inject=openat:error=EACCES", "-P", "catalogue", CLOISTERD, "--dev",
             str(self.folder), *self.arguments], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn("failed or may not be used (io", done.stderr)


class Quotas(StoreCase):
    def test_bound_each_owner_in_versions_and_in_bytes(self):
        certificate, digest = client_identity(self.folder.parent)
        config = self.folder.parent / "cloister.json"
        config.write_text(json.dumps({
            "store": str(self.folder), "listen_port": 0, "allow_swap": True,
            "platform": "simulated", "owner": {"name": "clinic", "key_sha256": digest},
            "versions_per_owner_max": 2, "stored_bytes_per_owner_max": 100_000}))
        server = self.start(arguments=("--create-store",), config=config)
        with server.session() as http:
            http.cert = certificate
            url = server.url + "/v2/models/m/versions/"
            large = http.put(url + "1", data=weights_model(30_000))
            self.assertEqual(large.status_code, 413, large.text)
            self.assertIn("stored bytes", large.json()["error"])
            for version in ("1", "2"):
                self.assertEqual(http.put(url + version, data=identity_model()).status_code, 201)
            third = http.put(url + "3", data=identity_model())
            self.assertEqual(third.status_code, 413, third.text)
            self.assertIn("2 versions", third.json()["error"])
            self.assertEqual(http.delete(url + "1").status_code, 200)
            self.assertEqual(http.put(url + "3", data=identity_model()).status_code, 201)


if __name__ == "__main__":
    unittest.main()
