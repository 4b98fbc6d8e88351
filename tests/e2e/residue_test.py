"""What was sent, answered or shown is nowhere in the server's memory once that is over.

The memory of the server's process is read as a debugger would, which takes root: nobody else can,
as the process is not dumpable. Memory shared with workers is not looked at: it has one principal's
tensors, and is gone or wiped before another's come.
"""

import os
import tempfile
import time
import unittest

import numpy as np
from onnx import TensorProto, helper

from e2e.case import PROGRAMS, npy, small_model
from support.memory import contents
from support.server import Server

PIECE = 64  # bytes of a tensor that are looked for, from several places of it
NPY = {"Content-Type": "application/x-npy", "Connection": "close"}
PATIENCE = 10  # seconds for a connection's end to be noticed


def pieces_of(data):
    """Some of its bytes, from its beginning, its end and between."""
    places = np.linspace(0, len(data) - PIECE, 9).astype(int) // 4 * 4
    return [bytes(data[at:at + PIECE]) for at in places]


def seen(pid, needles):
    """Names of the needles that are somewhere in the memory of a process."""
    left = dict(needles)
    for content in contents(pid):
        for name in [name for name, needle in left.items() if needle in content]:
            del left[name]
    return sorted(set(needles) - set(left))


@unittest.skipUnless(os.geteuid() == 0, "only root can read the server's memory")
class Residue(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        cls.addClassCleanup(temporary.cleanup)
        cls.server = Server(PROGRAMS, temporary.name)
        cls.addClassCleanup(cls.server.stop)
        model = small_model([helper.make_node("Neg", ["x"], ["y"])],
                            [("x", TensorProto.FLOAT, ["n"])], [("y", TensorProto.FLOAT, ["n"])])
        with cls.server.session() as session:
            session.put(cls.server.url + "/v2/models/m/versions/1", data=model).raise_for_status()
            session.post(cls.server.url + "/v2/models/m/infer", data=npy(np.ones(4, np.float32)),
                         headers=NPY).raise_for_status()

    def ask(self, count, headers):
        """Sends `count` random floats; the needles of what was sent and answered, and the token."""
        tensor = np.random.default_rng().standard_normal(count, np.float32)
        with self.server.session() as session:
            answer = session.post(self.server.url + "/v2/models/m/infer", data=npy(tensor),
                                  headers=NPY | headers)
            answer.raise_for_status()
            self.assertIn((-tensor).tobytes(), answer.content)
        needles = {"the token": self.server.token[-32:].encode()}
        for name, data in (("input", tensor.tobytes()), ("output", (-tensor).tobytes())):
            needles |= {f"{name} {i}": piece for i, piece in enumerate(pieces_of(data))}
        return needles

    def assert_gone(self, needles):
        pid = self.server.process.pid
        deadline = time.monotonic() + PATIENCE
        while (left := seen(pid, needles)) and time.monotonic() < deadline:
            needles = {name: needles[name] for name in left}
        self.assertEqual(left, [])

    def test_finds_what_is_there(self):
        planted = np.random.default_rng().bytes(PIECE)
        self.assertEqual(seen(os.getpid(), {"planted": planted}), ["planted"])

    def test_no_token_stays_that_was_shown_and_used(self):
        closing = {"Connection": "close"}
        with self.server.session() as session:
            made = session.post(self.server.url + "/v2/principals", headers=closing,
                                json={"name": "clinic", "role": "caller"})
            made.raise_for_status()
            tokens = f"{self.server.url}/v2/principals/{made.json()['principal']}/tokens"
            shown = session.post(tokens, headers=closing)
            shown.raise_for_status()
            token = shown.json()["token"]
            session.headers["Authorization"] = "Bearer " + token
            asked = session.get(self.server.url + "/v2/models/m", headers=closing)
            self.assertEqual(asked.status_code, 404)
        half = len(token) // 2
        self.assert_gone({"its beginning": token[5:half].encode(),
                          "its end": token[half:].encode()})

    def test_nothing_of_a_small_request_stays(self):
        self.assert_gone(self.ask(64, {}))

    def test_nothing_of_a_large_request_stays(self):
        self.assert_gone(self.ask(150_000, {}))

    def test_nothing_of_a_request_with_a_receipt_stays(self):
        self.assert_gone(self.ask(150_000, {"Cloister-Receipt": "want"}))


if __name__ == "__main__":
    unittest.main()
