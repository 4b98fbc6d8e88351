"""Triton's own Python client, unchanged: every call, directly and through the proxy."""

import json
import unittest

import ml_dtypes
import numpy as np
import tritonclient.http as triton
from onnx import TensorProto, helper
from tritonclient.utils import InferenceServerException

from e2e.case import PROGRAMS, ServerCase, identity_model, small_model
from support.local_proxy import LocalProxy

TYPES = {
    "BOOL": (TensorProto.BOOL, np.array([True, False, True])),
    "UINT8": (TensorProto.UINT8, np.array([0, 1, 255], np.uint8)),
    "UINT16": (TensorProto.UINT16, np.array([0, 1, 65535], np.uint16)),
    "UINT32": (TensorProto.UINT32, np.array([0, 1, 2**32 - 1], np.uint32)),
    "UINT64": (TensorProto.UINT64, np.array([0, 1, 2**64 - 1], np.uint64)),
    "INT8": (TensorProto.INT8, np.array([-128, 0, 127], np.int8)),
    "INT16": (TensorProto.INT16, np.array([-2**15, 0, 2**15 - 1], np.int16)),
    "INT32": (TensorProto.INT32, np.array([-2**31, 0, 2**31 - 1], np.int32)),
    "INT64": (TensorProto.INT64, np.array([-2**63, 0, 2**63 - 1], np.int64)),
    "FP16": (TensorProto.FLOAT16, np.array([-0.5, 0, 65504], np.float16)),
    "BF16": (TensorProto.BFLOAT16, np.array([-0.5, 0, 3.0], ml_dtypes.bfloat16)),
    "FP32": (TensorProto.FLOAT, np.array([-0.1, 0, 3.4e38], np.float32)),
    "FP64": (TensorProto.DOUBLE, np.array([-0.1, 0, 1.7e308], np.float64)),
    "BYTES": (TensorProto.STRING, np.array([b"", "\u00fc".encode(), b"a b"], object)),
}
BINARY_ONLY = ("FP16", "BF16")  # the client itself sends these as binary tensors alone


class Table:
    """The calls; `client` comes from the classes below."""

    @property
    def headers(self):
        # Anew each time: the client adds its own to what it is given.
        return {"Authorization": f"Bearer {self.server.token}"}

    def infer(self, name, array, datatype, sent_binary, asked_binary, **options):
        tensor = triton.InferInput("x", array.shape, datatype)
        tensor.set_data_from_numpy(array, binary_data=sent_binary)
        output = triton.InferRequestedOutput("y", binary_data=asked_binary)
        return self.client.infer(name, [tensor], outputs=[output], headers=self.headers,
                                 **options)

    def ones(self, rows=1):
        return np.ones((rows, 4), np.float32)

    def test_raises_the_servers_own_words(self):
        with self.assertRaisesRegex(InferenceServerException, "no such model"):
            self.client.get_model_metadata("none", headers=self.headers)
        with self.assertRaisesRegex(InferenceServerException, r"expected float32 \[n,4\]"):
            self.infer("plain", np.ones((1, 5), np.float32), "FP32", True, True)

    def test_health(self):
        self.assertTrue(self.client.is_server_live(headers=self.headers))
        self.assertTrue(self.client.is_server_ready(headers=self.headers))
        self.assertTrue(self.client.is_model_ready("plain", headers=self.headers))
        self.assertTrue(self.client.is_model_ready("plain", "1", headers=self.headers))
        self.assertFalse(self.client.is_model_ready("none", headers=self.headers))

    def test_metadata_and_configuration(self):
        server = self.client.get_server_metadata(headers=self.headers)
        for extension in ("binary_tensor_data", "model_repository", "statistics",
                          "model_configuration"):
            self.assertIn(extension, server["extensions"])
        metadata = self.client.get_model_metadata("plain", "1", headers=self.headers)
        self.assertEqual(metadata["inputs"],
                         [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}])
        config = self.client.get_model_config("plain", headers=self.headers)
        self.assertEqual(config["max_batch_size"], 0)
        self.assertEqual(config["input"][0]["data_type"], "TYPE_FP32")

    def test_every_type_in_json_and_binary_in_both_directions(self):
        for datatype, (_, values) in TYPES.items():
            for sent in (True, False):
                for asked in (True, False):
                    if datatype in BINARY_ONLY and not (sent and asked):
                        continue
                    with self.subTest(f"{datatype} sent binary: {sent}, asked binary: {asked}"):
                        result = self.infer(f"type-{datatype}", values, datatype, sent, asked)
                        got = result.as_numpy("y")
                        if datatype == "BYTES" and not asked:
                            got = np.array([each if isinstance(each, bytes) else each.encode()
                                            for each in got], object)
                        np.testing.assert_array_equal(got, values)

    def test_statistics(self):
        def counts(**which):
            return self.client.get_inference_statistics(headers=self.headers, **which)
        before = counts(model_name="plain")["model_stats"][0]
        for _ in range(3):
            self.infer("plain", self.ones(), "FP32", True, True)
        after = counts(model_name="plain", model_version="1")["model_stats"][0]
        self.assertEqual(after["inference_count"] - before["inference_count"], 3)
        success = after["inference_stats"]["success"]
        parts = ("queue", "compute_input", "compute_infer", "compute_output")
        self.assertEqual(success["ns"], sum(after["inference_stats"][p]["ns"] for p in parts))
        self.assertIn("plain", {each["name"] for each in counts()["model_stats"]})

    def test_repository(self):
        self.client.load_model("plain", headers=self.headers)
        self.assertEqual(self.state("plain"), "READY")
        self.client.unload_model("plain", headers=self.headers)
        self.assertEqual(self.state("plain"), "UNAVAILABLE")
        self.client.load_model("plain", headers=self.headers, config=json.dumps(
            {"version_policy": {"latest": {"num_versions": 1}}}))
        config = self.client.get_model_config("plain", headers=self.headers)
        self.assertEqual(config["version_policy"], {"latest": {"num_versions": 1}})
        name = f"brought-{type(self).__name__}"
        self.client.load_model(name, headers=self.headers, config="{}",
                               files={"file:1/model.onnx": self.model()})
        self.assertEqual(self.state(name), "READY")

    def state(self, name):
        index = self.client.get_model_repository_index(headers=self.headers)
        return next(each["state"] for each in index if each["name"] == name)

    def test_compression(self):
        many = self.ones(500)
        for sent in ("gzip", "deflate", None):
            for asked in ("gzip", "deflate", None):
                for binary in (True, False):
                    with self.subTest(f"{sent}, {asked}, binary: {binary}"):
                        result = self.infer("plain", many, "FP32", binary, binary,
                                            request_compression_algorithm=sent,
                                            response_compression_algorithm=asked)
                        np.testing.assert_array_equal(result.as_numpy("y"), many)

    def test_requests_with_id_priority_and_timeout_and_all_outputs(self):
        tensor = triton.InferInput("x", [1, 4], "FP32")
        tensor.set_data_from_numpy(self.ones())
        result = self.client.infer("plain", [tensor], request_id="41", priority=1,
                                   timeout=30_000_000, headers=self.headers,
                                   parameters={"ours": "passed over"})
        self.assertEqual(result.get_response()["id"], "41")
        np.testing.assert_array_equal(result.as_numpy("y"), self.ones())

    def test_asynchronously_and_batched(self):
        self.client.load_model("batched", headers=self.headers, config=json.dumps(
            {"max_batch_size": 4, "dynamic_batching": {"preferred_batch_size": [4],
                                                       "max_queue_delay_microseconds": 100_000}}))
        waiting = []
        for i in range(8):
            tensor = triton.InferInput("x", [1, 4], "FP32")
            tensor.set_data_from_numpy(self.ones() * i)
            waiting.append(self.client.async_infer("batched", [tensor], headers=self.headers))
        for i, each in enumerate(waiting):
            np.testing.assert_array_equal(each.get_result().as_numpy("y"), self.ones() * i)
        counts = self.client.get_inference_statistics("batched", headers=self.headers)
        counts = counts["model_stats"][0]
        self.assertEqual(counts["inference_count"], 8)
        # Over TLS the client itself sends its asynchronous requests one after the other.
        if self.sends_at_once:
            self.assertLess(counts["execution_count"], 8)

    @staticmethod
    def model():
        return small_model([helper.make_node("Identity", ["x"], ["y"])],
                           [("x", TensorProto.FLOAT, ["n", 4])],
                           [("y", TensorProto.FLOAT, ["n", 4])])

    @classmethod
    def store_models(cls):
        models = {"plain": cls.model(), "batched": cls.model()}
        models.update((f"type-{name}", identity_model(element, ("n",)))
                      for name, (element, _) in TYPES.items())
        for name, model in models.items():
            stored = cls.http.put(f"{cls.server.url}/v2/models/{name}/versions/1", data=model)
            assert stored.status_code == 201, stored.text


class Direct(Table, ServerCase):
    sends_at_once = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.store_models()
        certificate = cls.folder / "server.pem"
        certificate.write_text(cls.server.certificate())
        host, port = cls.server.address
        cls.client = triton.InferenceServerClient(
            f"{host}:{port}", ssl=True, concurrency=8,
            ssl_options={"ca_certs": str(certificate)})
        cls.addClassCleanup(cls.client.close)


class ThroughTheProxy(Table, ServerCase):
    sends_at_once = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.store_models()
        proxy = LocalProxy(PROGRAMS, cls.server.url, "--allow-simulation", token=cls.server.token)
        cls.addClassCleanup(proxy.stop)
        host, port = proxy.address
        cls.client = triton.InferenceServerClient(f"{host}:{port}", concurrency=8)
        cls.addClassCleanup(cls.client.close)


if __name__ == "__main__":
    unittest.main()
