"""What leaves the server without being asked: nothing. Each check first proves that it can see."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

import numpy as np

from e2e.case import PROGRAMS, ROOT, demo_model, npy
from support.server import Server

CONNECTS = re.compile(r"connect\(\d+, \{sa_family=AF_INET6?[^}]*\}|sendto\(.*sa_family=AF_INET")
TELEMETRY = re.compile(rb"events\.data\.microsoft|OneCollector|vortex\.data|applicationinsights")


def traced(trace):
    return ["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", str(trace)]


class Outbound(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def test_catches_a_planted_connection(self):
        trace = self.folder / "trace"
        plant = "import socket; s = socket.socket(); s.connect_ex(('127.0.0.1', 9))"
        subprocess.run([*traced(trace), sys.executable, "-c", plant], check=True)
        self.assertRegex(trace.read_text(), CONNECTS)

    def test_server_connects_to_nobody(self):
        trace = self.folder / "trace"
        with Server(PROGRAMS, self.folder / "dev", prefix=traced(trace)) as server:
            with server.session() as http:
                url = server.url + "/v2/models/digits"
                stored = http.put(url + "/versions/1", data=demo_model("digits"))
                self.assertEqual(stored.status_code, 201, stored.text)
                image = npy(np.zeros((1, 1, 8, 8), np.float32))
                answer = http.post(url + "/infer", data=image,
                                   headers={"Content-Type": "application/x-npy"})
                self.assertEqual(answer.status_code, 200, answer.text)
                http.get(server.url + "/v2/attestation?nonce=" + "A" * 43)
                http.delete(url + "/versions/1")
            # strace forwards no signal: the server below it is stopped by its own id.
            children = pathlib.Path(
                f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
            for child in children.split():
                os.kill(int(child), signal.SIGTERM)
            if server.process.wait(timeout=60) != 0:
                # A build with the address sanitizer looks for leaks as it ends, and cannot under
                # strace; nothing else may end the server so.
                self.assertIn("LeakSanitizer does not work under ptrace", "".join(server.errors))
        self.assertNotRegex(trace.read_text(), CONNECTS)


class Telemetry(unittest.TestCase):
    def test_finds_a_planted_uploader(self):
        planted = b"\0https://mobile.events.data.microsoft.com/OneCollector/1.0/\0"
        self.assertRegex(planted, TELEMETRY)

    def test_runtime_in_use_has_no_uploader(self):
        library = ROOT / "build" / "onnxruntime" / "lib" / "libonnxruntime.so.1.27.0"
        with tempfile.TemporaryDirectory() as folder:
            with Server(PROGRAMS, folder, ("--isolation", "inline")) as server:
                maps = pathlib.Path(f"/proc/{server.process.pid}/maps").read_text()
                # The copy that was checked runs, from memory that nobody can change.
                self.assertRegex(maps, r"r-xp \S+ \S+ \S+ +/memfd:cloister")
                found = subprocess.run(["strings", "-a", str(library)], check=True,
                                       capture_output=True).stdout
        self.assertGreater(len(found), 1_000_000)
        self.assertIsNone(TELEMETRY.search(found))


class CoreDumps(unittest.TestCase):
    def test_process_is_not_dumpable_and_writes_no_cores(self):
        with tempfile.TemporaryDirectory() as folder:
            with Server(PROGRAMS, folder) as server:
                limits = pathlib.Path(f"/proc/{server.process.pid}/limits").read_text()
                self.assertRegex(limits, r"Max core file size\s+0\s+0")


if __name__ == "__main__":
    unittest.main()
