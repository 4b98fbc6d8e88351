"""What was sent, answered or shown is nowhere in the server's memory once that is over.

The memory of the server's process is read as a debugger would, which takes root: nobody else can,
as the process is not dumpable. Memory shared with workers is not looked at: it has one principal's
tensors, and is gone or wiped before another's come.
"""

import gzip
import json
import os
import tempfile
import time
import unittest

import numpy as np
from onnx import TensorProto, helper

from e2e.case import PROGRAMS, npy, npz, small_model
from support.memory import contents
from support.server import Server

PIECE = 64  # bytes of a tensor that are looked for, from several places of it
NPY = {"Content-Type": "application/x-npy"}
NPZ = {"Content-Type": "application/x-npz"}
CODED = {"Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
CLOSING = {"Connection": "close"}
LARGE = 150_000  # floats
NAME = "a-model-that-is-known-to-the-server"
PATIENCE = 10  # seconds for the end of work, or of a connection


def pieces_of(name, data):
    """Some of its bytes, from its beginning, its end and between."""
    places = np.linspace(0, len(data) - PIECE, 9).astype(int) // 4 * 4
    return {f"{name} at {at}": bytes(data[at:at + PIECE]) for at in places}


def readable(pid):
    try:
        next(contents(pid))
    except PermissionError:
        return False
    return True


class Residue(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        cls.addClassCleanup(temporary.cleanup)
        cls.server = Server(PROGRAMS, temporary.name)
        cls.addClassCleanup(cls.server.stop)
        cls.pid = cls.server.process.pid
        if not readable(cls.pid):
            raise unittest.SkipTest("only root can read the server's memory")
        model = small_model([helper.make_node("Neg", ["x"], ["y"])],
                            [("x", TensorProto.FLOAT, ["n"])], [("y", TensorProto.FLOAT, ["n"])])
        cls.url = f"{cls.server.url}/v2/models/{NAME}"
        with cls.server.session() as session:
            session.put(cls.url + "/versions/1", data=model).raise_for_status()
            session.post(cls.url + "/infer", data=npy(np.ones(4, np.float32)),
                         headers=NPY | CLOSING).raise_for_status()

    def seen(self, needles):
        """Names of the needles that are somewhere in the server's memory."""
        found = set()
        for content in contents(self.pid):
            found |= {name for name, needle in needles.items() if needle in content}
        return sorted(found)

    def assert_gone(self, needles):
        deadline = time.monotonic() + PATIENCE
        while (left := self.seen(needles)) and time.monotonic() < deadline:
            pass
        self.assertEqual(left, [])

    def infer(self, session, body, headers, tensor):
        """The needles of what was sent and answered."""
        answer = session.post(self.url + "/infer", data=body, headers=headers)
        answer.raise_for_status()
        return pieces_of("input", tensor.tobytes()) | pieces_of("output", (-tensor).tobytes())

    def assert_leaves_nothing(self, encode, headers, count=LARGE):
        tensor = np.random.default_rng().standard_normal(count, np.float32)
        with self.server.session() as session:
            needles = self.infer(session, encode(tensor), headers | CLOSING, tensor)
        self.assert_gone(needles | {"the token": self.server.token[-32:].encode()})

    def test_the_search_finds_what_is_there(self):
        self.assertEqual(self.seen({"name": NAME.encode(), "nothing": os.urandom(PIECE)}), ["name"])

    def test_nothing_of_a_small_request_stays(self):
        self.assert_leaves_nothing(npy, NPY, count=64)

    def test_nothing_of_a_large_request_stays(self):
        self.assert_leaves_nothing(npy, NPY)

    def test_nothing_of_a_request_with_a_receipt_stays(self):
        self.assert_leaves_nothing(npy, NPY | {"Cloister-Receipt": "want"})

    def test_nothing_of_named_arrays_stays(self):
        self.assert_leaves_nothing(lambda tensor: npz(x=tensor), NPZ)

    def test_nothing_of_coded_bodies_stays(self):
        self.assert_leaves_nothing(lambda tensor: gzip.compress(npy(tensor)), NPY | CODED)

    def test_nothing_of_text_stays(self):
        def text(tensor):
            return json.dumps({"inputs": [{"name": "x", "datatype": "FP32",
                                           "shape": [len(tensor)], "data": tensor.tolist()}]})
        self.assert_leaves_nothing(text, {"Content-Type": "application/json"})

    def test_no_tensor_stays_while_its_connection_does(self):
        tensor = np.random.default_rng().standard_normal(LARGE, np.float32)
        with self.server.session() as session:
            self.assert_gone(self.infer(session, npy(tensor), NPY, tensor))
            session.get(self.server.url + "/v2").raise_for_status()  # it does

    def test_no_token_stays_that_was_shown_and_used(self):
        with self.server.session() as session:
            made = session.post(self.server.url + "/v2/principals", headers=CLOSING,
                                json={"name": "clinic", "role": "caller"})
            made.raise_for_status()
            tokens = f"{self.server.url}/v2/principals/{made.json()['principal']}/tokens"
            shown = session.post(tokens, headers=CLOSING)
            shown.raise_for_status()
            token = shown.json()["token"]
            session.headers["Authorization"] = "Bearer " + token
            for path, status in (("/v2/models/m", 404), ("/v2/health/live", 200),
                                 ("/nowhere", 404)):
                asked = session.get(self.server.url + path, headers=CLOSING)
                self.assertEqual(asked.status_code, status, path)
            for headers, status in (({"Expect": "nothing"}, 417), ({"X": "y" * 60_000}, 431)):
                asked = session.get(self.server.url + "/v2/models/m", headers=headers)
                self.assertEqual(asked.status_code, status)
        half = len(token) // 2
        self.assert_gone({"its beginning": token[5:half].encode(),
                          "its end": token[half:].encode()})


if __name__ == "__main__":
    unittest.main()
