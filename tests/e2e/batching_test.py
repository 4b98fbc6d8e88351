"""Dynamic batching: fewer runs than requests, and the same results as alone."""

import concurrent.futures
import json
import unittest

import numpy as np
from onnx import TensorProto, helper

from e2e.case import ServerCase, npy, small_model

NPY = {"Content-Type": "application/x-npy"}


def dense_model():
    weights = np.random.default_rng(1).normal(size=(16, 8)).astype(np.float32)
    return small_model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [("x", TensorProto.FLOAT, ["n", 16])], [("y", TensorProto.FLOAT, ["n", 8])],
        [helper.make_tensor("w", TensorProto.FLOAT, [16, 8], weights.tobytes(), raw=True)])


class Batching(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("dense", "single"):
            stored = cls.http.put(f"{cls.server.url}/v2/models/{name}/versions/1",
                                  data=dense_model())
            assert stored.status_code == 201, stored.text
        config = {"max_batch_size": 8, "dynamic_batching": {
            "preferred_batch_size": [8], "max_queue_delay_microseconds": 300_000}}
        load = cls.http.post(f"{cls.server.url}/v2/repository/models/dense/load",
                             json={"parameters": {"config": json.dumps(config)}})
        assert load.status_code == 200, load.text

    def infer(self, name, rows, **headers):
        return self.http.post(self.url(f"/v2/models/{name}/infer"), data=npy(rows),
                              headers={**NPY, **headers})

    def counts(self, name):
        return self.http.get(self.url(f"/v2/models/{name}/stats")).json()["model_stats"][0]

    def test_answers_each_request_as_it_would_alone_in_fewer_runs(self):
        rows = np.random.default_rng(2).normal(size=(40, 1, 16)).astype(np.float32)
        with concurrent.futures.ThreadPoolExecutor(16) as threads:
            together = list(threads.map(lambda row: self.infer("dense", row), rows))
        for row, answer in zip(rows, together):
            self.assertEqual(answer.status_code, 200, answer.text)
            alone = self.infer("single", row)
            got, expected = (np.frombuffer(each.content[-32:], np.float32)
                             for each in (answer, alone))
            np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)
        counts = self.counts("dense")
        self.assertEqual(counts["inference_count"], 40)
        self.assertLess(counts["execution_count"], 30)
        self.assertEqual(sum(batch["batch_size"] * batch["compute_infer"]["count"]
                             for batch in counts["batch_stats"]), 40)
        inference = counts["inference_stats"]
        parts = ("queue", "compute_input", "compute_infer", "compute_output")
        self.assertEqual(inference["success"]["ns"], sum(inference[p]["ns"] for p in parts))

    def test_refuses_a_wrong_shape_without_harm_to_the_others(self):
        good = np.ones((1, 16), np.float32)
        bad = np.ones((1, 15), np.float32)
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            codes = list(threads.map(lambda row: self.infer("dense", row).status_code,
                                     [good, bad] * 4))
        self.assertEqual(codes, [200, 400] * 4)

    def test_runs_more_rows_than_the_bound_alone(self):
        answer = self.infer("dense", np.ones((9, 16), np.float32))
        self.assertEqual(answer.status_code, 200, answer.text)
        sizes = [batch["batch_size"] for batch in self.counts("dense")["batch_stats"]]
        self.assertIn(9, sizes)


if __name__ == "__main__":
    unittest.main()
