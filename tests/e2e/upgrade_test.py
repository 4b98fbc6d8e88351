"""Handing a store over to another build, on the simulated platform."""

import hashlib
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import numpy as np

from e2e.case import PROGRAMS, ROOT, demo_model, npy
from e2e.identity import client_identity
from support.server import Server

RUNTIME = ROOT / "build" / "onnxruntime" / "lib" / "libonnxruntime.so.1.27.0"


def sha256(data):
    return hashlib.sha256(data).digest()


class Build:
    """A build of the server: `mark` makes it another one, with another digest."""

    def __init__(self, folder, mark=b""):
        self.programs = folder
        folder.mkdir()
        program = (PROGRAMS / "cloisterd").read_bytes() + mark
        (folder / "cloisterd").write_bytes(program)
        (folder / "cloisterd").chmod(0o755)
        shutil.copy(PROGRAMS / "cloister-sandbox", folder)
        worker = sha256((PROGRAMS / "cloister-sandbox").read_bytes())
        runtime = sha256(RUNTIME.read_bytes())
        self.digest = sha256(sha256(program) + worker + runtime).hex()


class Upgrade(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.old = Build(self.folder / "old")
        self.new = Build(self.folder / "new", b"a new release")
        self.operators = Build(self.folder / "operators", b"the operator's own")
        self.certificate, self.digest = client_identity(self.folder)
        self.policy = {"allow_simulation": True, "simulated": [
            self.old.digest, self.new.digest]}

    def config(self, name="cloister.json", **settings):
        path = self.folder / name
        path.write_text(json.dumps({
            "store": str(self.folder / "store"), "listen_port": 0, "allow_swap": True,
            "platform": "simulated", "upgrade_policy": self.policy,
            "owner": {"name": "clinic", "key_sha256": self.digest}, **settings}))
        return path

    def make_store(self, **settings):
        with Server(self.old.programs, self.folder, ("--create-store",),
                    config=self.config(**settings)) as server:
            with server.session() as http:
                http.cert = self.certificate
                stored = http.put(server.url + "/v2/models/digits/versions/1",
                                  data=demo_model("digits"))
                self.assertEqual(stored.status_code, 201, stored.text)
        return self.answers_of(self.old)

    def answers_of(self, build):
        with Server(build.programs, self.folder, config=self.config()) as server:
            with server.session() as http:
                http.cert = self.certificate
                answer = http.post(server.url + "/v2/models/digits/infer",
                                   data=npy(np.ones((1, 1, 8, 8), np.float32)),
                                   headers={"Content-Type": "application/x-npy"})
                self.assertEqual(answer.status_code, 200, answer.text)
                return answer.content

    def events_of(self, build):
        """What the server's trail says of starts and stops, of software and of the store."""
        with Server(build.programs, self.folder, config=self.config()) as server:
            with server.session() as http:
                http.cert = self.certificate
                events = http.get(server.url + "/v2/audit/server").json()["events"]
        return [(each["action"], None if each["action"].startswith("server-") else each["sha256"])
                for each in events if not each["action"].endswith("-key")]

    def run_build(self, build, *arguments, **settings):
        return subprocess.run(
            [str(build.programs / "cloisterd"), "--config", str(self.config(**settings)),
             *arguments], capture_output=True, text=True, timeout=60)

    def hand_over(self, old, new, **settings):
        """Both sides' exit codes and what the new one said."""
        giving = Server(old.programs, self.folder, ("--hand-over",), config=self.config("old.json"))
        taking = self.run_build(new, "--take-over", giving.url, **settings)
        if taking.returncode == 0:
            giving.process.wait(timeout=60)
        return giving.stop(), taking.returncode, taking.stdout + taking.stderr

    def test_refuses_the_operators_own_build_on_either_side(self):
        before = self.make_store()
        store = (self.folder / "store/vault/store").read_bytes()
        given, taken, said = self.hand_over(self.old, self.operators)
        self.assertEqual((given, taken), (1, 1), said)
        self.assertIn("hands nothing over", said)
        self.assertIn(self.operators.digest, said)
        # A giver that is not in the policy: it could plant a store whose key the operator knows.
        shutil.copytree(self.folder / "store", self.folder / "kept")
        shutil.rmtree(self.folder / "store")
        with Server(self.operators.programs, self.folder, ("--create-store",),
                    config=self.config()):
            pass
        given, taken, said = self.hand_over(self.operators, self.new)
        self.assertEqual((given, taken), (1, 1), said)
        self.assertIn("the upgrade policy refuses the peer", said)
        shutil.rmtree(self.folder / "store")
        shutil.copytree(self.folder / "kept", self.folder / "store")
        self.assertEqual((self.folder / "store/vault/store").read_bytes(), store)
        self.assertEqual(self.answers_of(self.old), before)

    def test_refuses_a_build_that_was_not_handed_the_store(self):
        self.make_store()
        done = self.run_build(self.new)
        self.assertEqual(done.returncode, 1)
        self.assertIn("this platform identity did not make it", done.stderr)

    def test_refuses_a_policy_that_was_changed_after_the_store_was_made(self):
        self.make_store()
        self.policy["simulated"].append(self.operators.digest)
        for build in (self.old, self.new):
            self.assertEqual(self.run_build(build).returncode, 1)
        done = self.run_build(self.old, "--hand-over")
        self.assertEqual(done.returncode, 1)
        self.assertIn("another upgrade policy", done.stderr)

    def test_refuses_where_there_is_no_policy_or_a_bad_one(self):
        done = self.run_build(self.old, "--create-store", upgrade_policy={"simulatd": []})
        self.assertEqual(done.returncode, 1)
        self.assertIn("simulatd", done.stderr)
        self.policy = None
        self.make_store()
        done = self.run_build(self.old, "--hand-over")
        self.assertEqual(done.returncode, 1)
        self.assertIn("never handed over", done.stderr)

    def test_refuses_while_a_server_has_the_store(self):
        self.make_store()
        giving = Server(self.old.programs, self.folder, ("--hand-over",),
                        config=self.config("old.json"))
        with Server(self.old.programs, self.folder, config=self.config()):
            done = self.run_build(self.new, "--take-over", giving.url)
        self.assertEqual(giving.stop(), 1)
        self.assertEqual(done.returncode, 1)
        self.assertIn("another server has this store open", done.stderr)
        self.answers_of(self.old)

    def test_moves_the_store_to_the_new_build_without_rewriting_the_weights(self):
        before = self.make_store()
        vault = self.folder / "store" / "vault"
        files = {path: (path.read_bytes(), path.stat().st_mtime_ns)
                 for path in (vault / "versions").iterdir()}
        given, taken, said = self.hand_over(self.old, self.new)
        self.assertEqual((given, taken), (0, 0), said)
        self.assertEqual({path: (path.read_bytes(), path.stat().st_mtime_ns)
                          for path in (vault / "versions").iterdir()}, files)
        self.assertEqual(self.answers_of(self.new), before)
        self.assertEqual(self.events_of(self.new), [
            ("server-started", None), ("software", self.old.digest), ("server-stopped", None),
            ("server-started", None), ("software", self.old.digest), ("server-stopped", None),
            ("store-handed-over", self.new.digest), ("store-taken-over", self.old.digest),
            ("server-started", None), ("software", self.new.digest), ("server-stopped", None),
            ("server-started", None), ("software", self.new.digest)])
        done = self.run_build(self.old)
        self.assertEqual(done.returncode, 1)
        self.assertIn("this platform identity did not make it", done.stderr)

    def test_moves_a_copy_to_another_folder_with_a_root_secret_of_its_own(self):
        before = self.make_store()
        other = self.folder / "other"
        other.mkdir()
        shutil.copytree(self.folder / "store" / "vault", other / "vault")
        given, taken, said = self.hand_over(self.old, self.new, store=str(other))
        self.assertEqual((given, taken), (0, 0), said)
        shutil.rmtree(self.folder / "store")
        other.rename(self.folder / "store")
        self.assertEqual(self.answers_of(self.new), before)


if __name__ == "__main__":
    unittest.main()
