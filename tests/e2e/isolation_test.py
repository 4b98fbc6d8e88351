"""What confines the models: one worker process each, checked before it runs, on every host."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import numpy as np

from e2e.case import PROGRAMS, ROOT, demo_model, npy
from e2e.identity import client_identity
from support.server import Server

RUNTIME = ROOT / "build" / "onnxruntime" / "lib" / "libonnxruntime.so.1.27.0"
EXECUTABLE_MEMORY_FILE = re.compile(r"r-xp \S+ \S+ \S+ +/memfd:cloister")


def confined(mode):
    return [sys.executable, "-m", "support.confined", mode]


def can_make_namespaces(mode):
    """Some hosts forbid ordinary users to, and no host lets them inside a changed root."""
    done = subprocess.run([*confined(mode), "unshare", "--user", "--pid", "--fork", "true"],
                          capture_output=True)
    return done.returncode == 0


def children_of(pid):
    found = []
    for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(each) for each in children.read_text().split()]
    return found


def infer_zeros(server, token=None):
    with server.session(token) as http:
        url = server.url + "/v2/models/digits"
        stored = http.put(url + "/versions/1", data=demo_model("digits"))
        if stored.status_code not in (200, 201):
            raise AssertionError(stored.text)
        return http.post(url + "/infer", data=npy(np.zeros((1, 1, 8, 8), np.float32)),
                         headers={"Content-Type": "application/x-npy"})


class Isolation(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def installed(self):
        """A copy of the programs, laid out as an installation is."""
        (self.folder / "bin").mkdir()
        (self.folder / "lib" / "cloister").mkdir(parents=True)
        for name in ("cloisterd", "cloister-sandbox"):
            shutil.copy(PROGRAMS / name, self.folder / "bin" / name)
        shutil.copy(RUNTIME, self.folder / "lib" / "cloister" / RUNTIME.name)
        return self.folder / "bin"

    def refused(self, *command):
        done = subprocess.run([str(each) for each in command], capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr

    def test_stops_the_start_when_the_worker_or_the_runtime_was_replaced(self):
        programs = self.installed()
        for part in (programs / "cloister-sandbox",
                     self.folder / "lib" / "cloister" / RUNTIME.name):
            with self.subTest(part.name):
                whole = part.read_bytes()
                with open(part, "r+b") as file:
                    file.seek(-1, os.SEEK_END)
                    file.write(bytes([whole[-1] ^ 1]))
                errors = self.refused(programs / "cloisterd", "--dev", self.folder / "dev")
                self.assertIn("not the one that this server was built with", errors)
                part.write_bytes(whole)
        with Server(programs, self.folder / "dev") as server:
            self.assertEqual(infer_zeros(server).status_code, 200)

    def test_refuses_to_run_weaker_than_the_configuration_demands(self):
        config = self.folder / "cloister.json"
        config.write_text(json.dumps({
            "store": str(self.folder / "store"), "listen_port": 0, "platform": "simulated",
            "allow_swap": True,
            "sandbox_require": ["own-user", "user-namespace"]}))  # there is never a need for both
        errors = self.refused(PROGRAMS / "cloisterd", "--config", config, "--create-store")
        self.assertIn('"sandbox_require" demands: own-user user-namespace', errors)
        settings = json.loads(config.read_text())
        config.write_text(json.dumps({**settings, "sandbox_require": ["pid-namespace"]}))
        errors = self.refused(*confined("bare"), PROGRAMS / "cloisterd", "--config", config,
                              "--create-store")
        self.assertIn("pid-namespace", errors)

    def test_never_maps_the_runtime_into_the_server(self):
        with Server(PROGRAMS, self.folder / "dev") as server:
            self.assertEqual(infer_zeros(server).status_code, 200)
            with server.session() as http:
                described = http.get(server.url + "/v2").json()["confidential"]
            self.assertEqual(described["isolation"], "process")
            maps = pathlib.Path(f"/proc/{server.process.pid}/maps").read_text()
            self.assertNotIn("libonnxruntime", maps)
            self.assertNotRegex(maps, EXECUTABLE_MEMORY_FILE)
            if os.geteuid() == 0:  # nobody else may look: a worker is not dumpable
                workers = [pathlib.Path(f"/proc/{each}/maps").read_text()
                           for each in children_of(server.process.pid)]
                self.assertTrue(any(EXECUTABLE_MEMORY_FILE.search(each) for each in workers))

    def test_gives_a_worker_its_threads_before_it_can_make_none(self):
        pem, digest = client_identity(self.folder)
        config = self.folder / "cloister.json"
        config.write_text(json.dumps({
            "store": str(self.folder / "store"), "listen_port": 0, "platform": "simulated",
            "allow_swap": True, "owner": {"name": "owner", "key_sha256": digest},
            "run_threads": 1, "intra_op_threads": 4}))
        with Server(PROGRAMS, self.folder, ("--create-store",), config=config) as server:
            with server.session() as http:
                http.cert = pem
                token = http.post(
                    server.url + "/v2/principals/owner/tokens").json()["token"]
            self.assertEqual(infer_zeros(server, token).status_code, 200)
            threads = [len(list(pathlib.Path(f"/proc/{each}/task").iterdir()))
                       for each in children_of(server.process.pid)]
            # Three beside the caller's, and one that watches the run; a spare may just begin.
            self.assertGreaterEqual(max(threads), 5)

    def test_lets_go_of_a_model_that_its_owner_never_wants_cached(self):
        with Server(PROGRAMS, self.folder / "dev") as server:
            self.assertEqual(infer_zeros(server).status_code, 200)
            with server.session() as http:
                config = {"parameters": {"cloister_never_cached": {"string_value": "true"}}}
                loaded = http.post(server.url + "/v2/repository/models/digits/load",
                                   json={"parameters": {"config": json.dumps(config)}})
                self.assertEqual(loaded.status_code, 200, loaded.text)
                self.assertEqual(infer_zeros(server).status_code, 200)
                for _ in range(100):  # it goes once its last request is done
                    state = http.get(server.url + "/v2/models").json()[0]["state"]
                    if state == "stored":
                        break
                    time.sleep(0.05)
                self.assertEqual(state, "stored")

    def test_serves_on_every_host_and_says_what_confines_its_workers(self):
        for mode in ("user", "container", "bare"):
            with self.subTest(mode):
                folder = self.folder / mode
                folder.mkdir()
                if os.geteuid() == 0:
                    os.chmod(self.folder, 0o755)
                    shutil.chown(folder, 65534 if mode != "container" else 0)
                with Server(PROGRAMS, folder, prefix=confined(mode)) as server:
                    self.assertEqual(infer_zeros(server).status_code, 200)
                    with server.session() as http:
                        words = http.get(server.url + "/v2").json()["confidential"]["sandbox"]
                self.assertEqual(words.split()[:3], ["seccomp", "limits", "landlock"])
                self.assertEqual("namespace" in words, can_make_namespaces(mode))


if __name__ == "__main__":
    unittest.main()
