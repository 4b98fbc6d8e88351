"""Thousands of malformed requests: only right errors, no crash, and memory that does not grow.

`./dev soak malformed` sends a million.
"""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from support.server import Server, content_digest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("CLOISTER_PROGRAMS", ROOT / "build" / "dev" / "bin"))
SENDER = PROGRAMS / "malformed_requests"

ROUNDS = 5
MALFORMED = int(os.environ.get("CLOISTER_MALFORMED_REQUESTS", "50000"))
KEEP_ALIVE_CONNECTIONS = 32
KEEP_ALIVE_REQUESTS = 2000
# A leak shows in every round. Blocks that the server keeps for the next bodies show once each, and
# it keeps 32 MiB of them at most.
STEADY_GROWTH_MAX = 256 * 1024
KEPT_MAX = 34 * 1024 * 1024


class Malformed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-malformed-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.server = Server(PROGRAMS, cls.folder / "server")
        cls.addClassCleanup(cls.server.stop)
        cls.token = cls.folder / "token"
        cls.token.write_text(cls.server.token)
        model = cls.folder / "probe.onnx"
        subprocess.run([SENDER, "model", model], check=True)
        data = model.read_bytes()
        with cls.server.session() as session:
            answer = session.put(f"{cls.server.url}/v2/models/probe/versions/1", data=data,
                                 headers={"Content-Digest": content_digest(data)})
            assert answer.status_code == 201, answer.text

    def send(self, kind, number, count):
        done = subprocess.run([SENDER, kind, str(self.server.address[1]), self.token, str(number),
                               str(count)], capture_output=True, text=True,
                              timeout=600 + count // 20)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        statuses = dict(line.split(": ") for line in done.stdout.splitlines())
        return {name: int(times) for name, times in statuses.items()}

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024

    def run_rounds(self, send):
        resident = []
        for number in range(1, ROUNDS + 1):
            send(number)
            self.assertIsNone(self.server.process.poll(), "the server died")
            resident.append(self.resident_bytes())
        self.send("keep_alive", 1, 1)  # it still answers
        steps = [after - before for before, after in zip(resident[1:], resident[2:])]
        print(f"resident after each round: {[size // 1024 for size in resident]} KiB", flush=True)
        if not os.environ.get("CLOISTER_SANITIZED"):
            self.assertLessEqual(min(steps), STEADY_GROWTH_MAX)
            self.assertLessEqual(resident[-1] - resident[0], KEPT_MAX)

    def test_answers_malformed_requests_rightly_and_grows_no_more(self):
        seen = {}

        def send(number):
            for name, times in self.send("malformed", number, MALFORMED // ROUNDS).items():
                seen[name] = seen.get(name, 0) + times

        self.run_rounds(send)
        print(json.dumps(seen, sort_keys=True), flush=True)
        for status in ("200", "400", "401", "404", "405", "413", "414", "415", "422", "431"):
            self.assertGreater(seen.get(status, 0), 0, f"no request led to {status}")

    def test_answers_on_many_keep_alive_connections_and_grows_no_more(self):
        self.run_rounds(lambda _: self.assertEqual(
            self.send("keep_alive", KEEP_ALIVE_CONNECTIONS, KEEP_ALIVE_REQUESTS),
            {"200": KEEP_ALIVE_REQUESTS}))


if __name__ == "__main__":
    unittest.main()
