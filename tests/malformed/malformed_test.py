"""Thousands of malformed requests: only right errors, no crash, and memory that does not grow.

`./dev soak malformed_requests` sends a million.
"""

import contextlib
import json
import os
import pathlib
import socket
import ssl
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
GROWTH_MAX = 2 * 1024 * 1024
BLOCKS_MAX = 64 * 1024 * 1024
# The server keeps blocks for the next bodies, BLOCKS_MAX at most: whenever memory is measured it
# has these, whose sum is hardly less, so that what it lost shows.
BLOCK_BYTES = (64 * 1024, 256 * 1024, 1024 * 1024, 4096 * 1024)
BODIES_AT_A_TIME = 12


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
        """Of the server: in its blocks for bodies and models, which dumps leave out, and beside."""
        blocks, beside, resident = 0, 0, 0
        smaps = pathlib.Path(f"/proc/{self.server.process.pid}/smaps").read_text()
        for line in smaps.splitlines():
            if line.startswith("Rss:"):
                resident = int(line.split()[1]) * 1024
            elif line.startswith("VmFlags:"):
                left_out = "dd" in line.split()
                blocks += resident * left_out
                beside += resident * (not left_out)
        return blocks, beside

    def connect(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(socket.create_connection(self.server.address, timeout=60))

    def fill_blocks(self):
        """Holds that many bodies of each size at once: a large one that came back may have taken
        the places of small ones, which would be made anew later."""
        for size in BLOCK_BYTES:
            head = ("PUT /v2/models/filler/versions/1 HTTP/1.1\r\nhost: a\r\n"
                    f"authorization: Bearer {self.server.token}\r\ncontent-length: {size}\r\n"
                    "content-type: application/octet-stream\r\n\r\n")
            with contextlib.ExitStack() as stack:
                held = [stack.enter_context(self.connect()) for _ in range(BODIES_AT_A_TIME)]
                for each in held:
                    each.sendall(head.encode() + bytes(size - 1))
                for each in held:
                    each.sendall(b"x")
                    self.assertIn(b" 422 ", each.recv(65536).splitlines()[0])

    def run_rounds(self, send):
        resident = []
        for number in range(1, ROUNDS + 1):
            send(number)
            self.assertIsNone(self.server.process.poll(), "the server died")
            self.fill_blocks()
            resident.append(self.resident_bytes())
        self.send("keep_alive", 1, 1)  # it still answers
        blocks, beside = zip(*resident)
        for what, sizes in ("blocks", blocks), ("beside", beside):
            print(f"{what} after each round: {[size // 1024 for size in sizes]} KiB", flush=True)
        if not os.environ.get("CLOISTER_SANITIZED"):
            self.assertLessEqual(beside[-1] - beside[1], GROWTH_MAX)
            self.assertLessEqual(max(blocks), BLOCKS_MAX + GROWTH_MAX)
            self.assertLessEqual(blocks[-1] - max(blocks[:-1]), GROWTH_MAX)

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
