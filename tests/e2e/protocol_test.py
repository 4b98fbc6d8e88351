"""Configuration, statistics, version policy and content codings, as Triton's tools read them."""

import gzip
import json
import time
import unittest
import zlib

import numpy as np
from onnx import TensorProto, helper

from e2e.case import ServerCase, identity_model, npy, small_model

JSON = {"Content-Type": "application/json"}
DURATIONS = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output",
             "cache_hit", "cache_miss")


def request_of(values):
    return {"inputs": [{"name": "x", "datatype": "FP32", "shape": [len(values)], "data": values}]}


class Protocol(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        stored = cls.http.put(f"{cls.server.url}/v2/models/plain/versions/1",
                              data=identity_model())
        assert stored.status_code == 201, stored.text

    def infer(self, name, body, **headers):
        return self.http.post(self.url(f"/v2/models/{name}/infer"), data=body,
                              headers={**JSON, **headers})

    def load(self, name, config, **files):
        parameters = {"config": json.dumps(config), **files}
        return self.http.post(self.url(f"/v2/repository/models/{name}/load"),
                              json={"parameters": parameters})

    def statistics(self, path):
        answer = self.http.get(self.url(path))
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()["model_stats"]

    # Refusals.

    def test_refuses_a_body_that_inflates_past_the_bound(self):
        bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
        body = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(512)) + bomb.flush()
        self.assertLess(len(body), 1 << 20)
        before = self.resident_kilobytes()
        for _ in range(4):
            answer = self.infer("plain", body, **{"Content-Encoding": "gzip"})
            self.assert_error(answer, 413, "too_large", "Content-Encoding")
        self.assertLess(self.resident_kilobytes() - before, 100 << 10)

    def resident_kilobytes(self):
        with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def test_refuses_codings_that_are_not_served_and_bodies_that_are_not_coded_so(self):
        plain = json.dumps(request_of([1.0])).encode()
        for coding in ("br", "gzip, gzip", "compress", "zstd"):
            answer = self.infer("plain", plain, **{"Content-Encoding": coding})
            self.assert_error(answer, 415, "unsupported", "Content-Encoding")
        coded = gzip.compress(plain)
        for body in (plain, coded[:-1], coded + b"x", coded[:-8] + bytes(8), zlib.compress(plain)):
            answer = self.infer("plain", body, **{"Content-Encoding": "gzip"})
            self.assertEqual(answer.status_code, 400, answer.text)

    def test_refuses_configurations_that_are_not_served(self):
        for config, text in (({"sequence_batching": {}}, "sequence_batching"),
                             ({"max_batch_size": 5000}, "max_batch_size"),
                             ({"version_policy": {"specific": {"versions": []}}}, "version")):
            self.assert_error(self.load("plain", config), 400, "invalid", text)
        fixed = small_model([helper.make_node("Identity", ["x"], ["y"])],
                            [("x", TensorProto.FLOAT, [3])], [("y", TensorProto.FLOAT, [3])])
        self.assertEqual(self.upload("fixed", fixed).status_code, 201)
        self.assert_error(self.load("fixed", {"max_batch_size": 4}), 400, "invalid", "batched")

    def test_refuses_files_that_are_no_model_of_a_version(self):
        for parameters in ({"file:1/other.onnx": "AAAA"}, {"file:0/model.onnx": "AAAA"},
                           {"file:../model.onnx": "AAAA"}, {"file:1/model.onnx": "A"},
                           {"file:1/model.onnx": ""},
                           {"file:1/model.onnx": "AAAA", "file:2/model.onnx": "AAAA"}):
            answer = self.load("filed", {}, **parameters)
            self.assert_error(answer, 400, "invalid")
        self.assert_error(self.load("filed", {}, **{"file:1/model.onnx": "AAAA"}), 422, "refused")
        self.assert_error(self.http.get(self.url("/v2/models/filed")), 404, "not_found")

    def test_refuses_a_request_that_waited_past_its_timeout(self):
        body = {**request_of([1.0]), "parameters": {"timeout": 1}}
        seen = {self.infer("plain", json.dumps(body)).status_code for _ in range(20)}
        self.assertLessEqual(seen, {200, 504})
        self.assertIn(504, seen)

    # Successes.

    def test_takes_and_gives_gzip_and_deflate(self):
        values = [float(i % 7) for i in range(5000)]
        plain = json.dumps(request_of(values)).encode()
        for coding, body in (("gzip", gzip.compress(plain)), ("deflate", zlib.compress(plain))):
            answer = self.infer("plain", body, **{"Content-Encoding": coding,
                                                  "Accept-Encoding": coding})
            self.assertEqual(answer.status_code, 200, answer.text)
            self.assertEqual(answer.headers["Content-Encoding"], coding)
            self.assertLess(int(answer.headers["Content-Length"]), len(plain) // 4)
            self.assertEqual(answer.json()["outputs"][0]["data"], values)
        answer = self.infer("plain", plain, **{"Accept-Encoding": "gzip, deflate"})
        self.assertNotIn("Content-Encoding", answer.headers)
        array = self.http.post(
            self.url("/v2/models/plain/infer"), data=gzip.compress(npy(np.float32(values))),
            headers={"Content-Type": "application/x-npy", "Content-Encoding": "gzip"})
        self.assertTrue(array.content.endswith(np.float32(values).tobytes()), array.text[:200])

    def test_describes_the_configuration_as_tritons_tools_read_it(self):
        model = small_model([helper.make_node("Identity", ["x"], ["y"])],
                            [("x", TensorProto.FLOAT, ["n", 4])],
                            [("y", TensorProto.FLOAT, ["n", 4])])
        self.assertEqual(self.upload("configured", model).status_code, 201)
        config = self.http.get(self.url("/v2/models/configured/config")).json()
        self.assertEqual(config["max_batch_size"], 0)
        self.assertEqual(config["version_policy"], {"all": {}})
        self.assertEqual(config["input"][0]["data_type"], "TYPE_FP32")
        self.assertEqual(config["input"][0]["dims"], [-1, 4])
        self.assertEqual(config["platform"], "onnxruntime_onnx")
        self.assertNotIn("dynamic_batching", config)
        changed = {**config, "max_batch_size": 8, "dynamic_batching": {
            "preferred_batch_size": [4, 8], "max_queue_delay_microseconds": 100}}
        self.assertEqual(self.load("configured", changed).status_code, 200)
        config = self.http.get(self.url("/v2/models/configured/versions/1/config")).json()
        self.assertEqual(config["max_batch_size"], 8)
        self.assertEqual(config["output"][0]["dims"], [4])
        self.assertEqual(config["dynamic_batching"]["preferred_batch_size"], [4, 8])

    def test_serves_the_versions_of_the_policy(self):
        for version, shape in ((1, ("n",)), (2, ("n", 1)), (3, ("n", 2))):
            self.assertEqual(self.upload("policy", identity_model(shape=shape),
                                         version).status_code, 201)

        def served():
            codes = [self.http.get(self.url(f"/v2/models/policy/versions/{v}/ready")).status_code
                     for v in (1, 2, 3)]
            newest = self.infer("policy", json.dumps(request_of([1.0])))
            return [code == 200 for code in codes], newest.status_code
        self.assertEqual(served(), ([True, True, True], 400))
        self.load("policy", {"version_policy": {"specific": {"versions": [1]}}})
        self.assertEqual(served(), ([True, False, False], 200))
        self.load("policy", {"version_policy": {"latest": {"num_versions": 2}}})
        self.assertEqual(served(), ([False, True, True], 400))
        index = self.http.post(self.url("/v2/repository/index")).json()
        state = {m["version"]: m for m in index if m["name"] == "policy"}
        self.assertEqual(state["1"]["reason"], "not in the version policy")
        ready = self.http.post(self.url("/v2/repository/index"), json={"ready": True}).json()
        self.assertTrue(all(m["state"] == "READY" for m in ready))

    def test_stores_and_loads_a_model_that_a_load_request_brings(self):
        import base64
        model = base64.b64encode(identity_model()).decode()
        answer = self.load("brought", {"max_batch_size": 2}, **{"file:4/model.onnx": model})
        self.assertEqual(answer.status_code, 200, answer.text)
        self.assertEqual(self.http.get(self.url("/v2/models/brought")).json()["versions"], ["4"])
        config = self.http.get(self.url("/v2/models/brought/config")).json()
        self.assertEqual(config["max_batch_size"], 2)
        again = self.load("brought", {}, **{"file:4/model.onnx": model})
        self.assertEqual(again.status_code, 200, again.text)

    def test_counts_what_was_done_and_the_nanoseconds_add_up(self):
        self.assertEqual(self.upload("counted", identity_model()).status_code, 201)
        before = time.time() * 1000 - 2000
        for _ in range(5):
            self.assertEqual(self.infer("counted", json.dumps(request_of([1.0, 2.0])))
                             .status_code, 200)
        for _ in range(2):
            self.assertEqual(self.infer("counted", b"{}").status_code, 400)
        for path in ("/v2/models/counted/stats", "/v2/models/counted/versions/1/stats"):
            (counts,) = self.statistics(path)
            self.assertEqual((counts["name"], counts["version"]), ("counted", "1"))
            self.assertEqual(counts["inference_count"], 5)
            self.assertEqual(counts["execution_count"], 5)
            self.assertGreaterEqual(counts["last_inference"], before)
            inference = counts["inference_stats"]
            self.assertEqual(set(inference), set(DURATIONS))
            self.assertEqual(inference["success"]["count"], 5)
            self.assertEqual(inference["fail"]["count"], 2)
            parts = ("queue", "compute_input", "compute_infer", "compute_output")
            self.assertEqual(inference["success"]["ns"], sum(inference[p]["ns"] for p in parts))
            (batch,) = counts["batch_stats"]
            self.assertEqual(batch["batch_size"], 1)
            for part in parts[1:]:
                self.assertEqual(batch[part], inference[part])
        names = {counts["name"] for counts in self.statistics("/v2/models/stats")}
        self.assertIn("counted", names)
        self.assertIn("plain", names)

    def test_forgets_options_and_counts_of_an_erased_model(self):
        self.assertEqual(self.upload("erased", identity_model()).status_code, 201)
        self.assertEqual(self.load("erased", {"max_batch_size": 4}).status_code, 200)
        self.assertEqual(self.http.delete(self.url("/v2/models/erased/versions/1")).status_code,
                         200)
        self.assertEqual(self.upload("erased", identity_model(), 2).status_code, 201)
        config = self.http.get(self.url("/v2/models/erased/config")).json()
        self.assertEqual(config["max_batch_size"], 0)


if __name__ == "__main__":
    unittest.main()
