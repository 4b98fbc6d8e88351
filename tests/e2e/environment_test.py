"""What an operator can change beside the configuration shows in the evidence or stops the start."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from e2e.case import PROGRAMS
from support.server import Server

LIBRARY = "libonnxruntime.so.1.27.0"


class Environment(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.programs = self.folder / "bin"
        self.programs.mkdir()
        for name in ("cloisterd", "cloister-sandbox"):
            shutil.copy(PROGRAMS / name, self.programs / name)

    def claims(self, programs, directory=None):
        """What a server with these programs says of itself, as the command line verifies it."""
        config = self.folder / "cloister.json"
        config.write_text(json.dumps({
            "store": str(self.folder / "store"), "listen_port": 0, "allow_swap": True,
            "platform": "simulated"}))
        shutil.rmtree(self.folder / "store", ignore_errors=True)
        previous = os.getcwd()
        os.chdir(directory or previous)
        try:
            server = Server(programs, self.folder, ("--create-store",), config=config)
        finally:
            os.chdir(previous)
        with server:
            done = subprocess.run(
                [str(PROGRAMS / "cloister"), "attest", "--server", server.url, "--json",
                 "--allow-simulation"], capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)["claims"]

    def refused(self, *arguments):
        done = subprocess.run(
            [str(self.programs / "cloisterd"), "--dev", str(self.folder / "dev"), *arguments],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertNotIn("url:", done.stdout)
        return done.stderr

    def test_a_changed_server_has_another_software_digest(self):
        genuine = self.claims(self.programs)
        with open(self.programs / "cloisterd", "ab") as program:
            program.write(b"\0")
        changed = self.claims(self.programs)
        self.assertNotEqual(genuine["software"], changed["software"])
        self.assertEqual(genuine["configuration"], changed["configuration"])

    def test_the_working_directory_has_no_effect(self):
        here, elsewhere = self.claims(self.programs), self.claims(self.programs, directory="/")
        for claim in ("software", "configuration", "sandbox"):
            self.assertEqual(here[claim], elsewhere[claim])

    def test_a_replaced_runtime_library_stops_the_start(self):
        library = self.folder / "lib" / "cloister" / LIBRARY
        library.parent.mkdir(parents=True)
        library.write_bytes(b"another library")
        self.assertIn("not the one", self.refused())

    def test_a_replaced_worker_stops_the_start(self):
        with open(self.programs / "cloister-sandbox", "ab") as program:
            program.write(b"\0")
        self.assertIn("not the one", self.refused("--isolation", "process"))


if __name__ == "__main__":
    unittest.main()
