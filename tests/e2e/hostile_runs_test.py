"""Models that only run time can reveal: what they do to whoever asks them, and to nobody else."""

import io
import pathlib
import tempfile
import threading
import unittest

import numpy as np
from onnx import TensorProto, helper

from e2e.case import PROGRAMS, demo_model, npy
from e2e.identity import configuration
from support.server import Server

F32, I64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def model_of(nodes, inputs, output, initializers=()):
    graph = helper.make_graph(
        nodes, "hostile", [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(*output)], list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()


def loop_model():
    """Adds x[0] times: for zeros not once."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]),
         helper.make_node("Add", ["v", "one"], ["v_next"])], "body",
        [helper.make_tensor_value_info("i", I64, []), helper.make_tensor_value_info("go", BOOL, []),
         helper.make_tensor_value_info("v", F32, [])],
        [helper.make_tensor_value_info("go_on", BOOL, []),
         helper.make_tensor_value_info("v_next", F32, [])],
        [helper.make_tensor("one", F32, [], [1.0])])
    return model_of([helper.make_node("Squeeze", ["x"], ["rounds"]),
                     helper.make_node("Loop", ["rounds", "yes", "zero"], ["y"], body=body)],
                    [("x", I64, [1])], ("y", F32, []),
                    [helper.make_tensor("yes", BOOL, [], [True]),
                     helper.make_tensor("zero", F32, [], [0.0])])


def models():
    """Name to model and the input that makes it misbehave; every input is int64."""
    sized = ("y", F32, None)
    one = helper.make_tensor("one", F32, [1], [1.0])
    return {
        "loop": (loop_model(), [1 << 40]),
        "constant": (model_of([helper.make_node("ConstantOfShape", ["x"], ["y"])],
                              [("x", I64, [1])], sized), [1 << 36]),
        "expand": (model_of([helper.make_node("Expand", ["one", "x"], ["y"])],
                            [("x", I64, [2])], sized, [one]), [1 << 18, 1 << 18]),
        "tile": (model_of([helper.make_node("Tile", ["one", "x"], ["y"])],
                          [("x", I64, [1])], sized, [one]), [1 << 40]),
        "large": (model_of([helper.make_node("Tile", ["one", "x"], ["y"])],
                           [("x", I64, [1])], sized, [one]), [160 << 20]),
        "range": (model_of([helper.make_node("Squeeze", ["x"], ["limit"]),
                            helper.make_node("Range", ["zero", "limit", "step"], ["y"])],
                           [("x", I64, [1])], ("y", I64, None),
                           [helper.make_tensor("zero", I64, [], [0]),
                            helper.make_tensor("step", I64, [], [1])]), [1 << 40]),
        "pad": (model_of([helper.make_node("Pad", ["one", "x"], ["y"])],
                         [("x", I64, [2])], sized, [one]), [1 << 36, 1 << 36]),
        "overflow": (model_of([helper.make_node("Expand", ["one", "x"], ["y"])],
                              [("x", I64, [2])], sized, [one]), [1 << 62, 1 << 62]),
        "negative": (model_of([helper.make_node("ConstantOfShape", ["x"], ["y"])],
                              [("x", I64, [1])], sized), [-5]),
        "gather": (model_of([helper.make_node("Gather", ["table", "x"], ["y"])],
                            [("x", I64, [1])], ("y", F32, [1]),
                            [helper.make_tensor("table", F32, [4], [1, 2, 3, 4])]), [1 << 40]),
    }


class HostileRuns(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="cloister-e2e-")
        cls.addClassCleanup(temporary.cleanup)
        folder = pathlib.Path(temporary.name)
        config, pem = configuration(folder, owner="owner", run_threads=4, request_seconds_max=5,
                                    memory_budget_bytes=1500 << 20)
        cls.server = Server(PROGRAMS, folder, ("--create-store",), config=config)
        cls.addClassCleanup(cls.server.stop)
        with cls.server.session() as http:
            http.cert = pem
            cls.token = http.post(
                cls.server.url + "/v2/principals/owner/tokens").json()["token"]
        cls.http = cls.server.session(cls.token)
        cls.addClassCleanup(cls.http.close)

    def put(self, name, data):
        return self.http.put(self.server.url + f"/v2/models/{name}/versions/1", data=data)

    def infer(self, http, name, array):
        return http.post(self.server.url + f"/v2/models/{name}/infer", data=npy(array),
                         headers={"Content-Type": "application/x-npy",
                                  "Accept": "application/x-npy"})

    def test_harm_nobody_but_who_asks_them(self):
        self.assertEqual(self.put("digits", demo_model("digits")).status_code, 201)
        image = np.random.default_rng(1).random((1, 1, 8, 8)).astype(np.float32)
        right = np.load(io.BytesIO(self.infer(self.http, "digits", image).content))

        def judged(answer):
            # Packed behind the first answers, a model's last bits may change.
            if answer.status_code != 200:
                return answer.status_code, answer.text[:200]
            got = np.load(io.BytesIO(answer.content))
            return "right" if np.allclose(got, right, rtol=1e-5, atol=1e-6) else "wrong"
        stopping, answers = threading.Event(), []

        def steady():
            with self.server.session(self.token) as http:
                while not stopping.is_set():
                    answers.append(judged(self.infer(http, "digits", image)))
        thread = threading.Thread(target=steady)
        thread.start()
        try:
            for name, (data, attack) in models().items():
                with self.subTest(name):
                    self.misbehave(name, data, np.array(attack, np.int64))
        finally:
            stopping.set()
            thread.join()
        self.assertGreater(len(answers), 10)
        self.assertEqual(set(answers), {"right"}, "an honest model's caller noticed")

    def misbehave(self, name, data, attack):
        stored = self.put(name, data)
        if stored.status_code == 422:  # even better
            self.assertTrue(stored.json()["findings"])
            return
        self.assertEqual(stored.status_code, 201, stored.text)
        answer = self.infer(self.http, name, attack)
        self.assertIn(answer.status_code, (400, 413, 500, 503, 504), answer.text[:200])
        self.assertTrue(answer.json()["error"])
        if name == "gather":
            self.assertEqual(answer.status_code, 400, answer.text)
        if name == "loop":
            self.assertEqual(answer.status_code, 504, answer.text)
        if name == "large":  # which a busy machine does not get as far as in its time
            self.assertIn(answer.status_code, (413, 504), answer.text)


if __name__ == "__main__":
    unittest.main()
